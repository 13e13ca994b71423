import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '@truenow/chassis/clock.ts'

/** Waits until so many more bytes may go, or `signal` aborts. */
export type ByteThrottle = (bytes: number, signal: AbortSignal) => Promise<void>

/** What may go at once after a rest, in ms of the rate: timers are not finer than a few. */
const BURST_MS = 20

/** At most `bytesPerSecond`, all callers together. Source: the generic cell rate algorithm, ITU-T I.371. */
export function createByteThrottle(bytesPerSecond: number, clock: Clock): ByteThrottle {
  /** When the bytes that were let through would have gone at the very rate. */
  let paidUntilMs = Number.NEGATIVE_INFINITY
  return async (bytes, signal) => {
    const nowMs = clock.monotonicMs()
    paidUntilMs = Math.max(paidUntilMs, nowMs) + (bytes / bytesPerSecond) * 1_000
    const waitMs = paidUntilMs - nowMs - BURST_MS
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {})
  }
}
