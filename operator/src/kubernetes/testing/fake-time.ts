import type { Clock } from '@truenow/chassis/clock.ts'
import type { Scheduler } from '../scheduler.ts'

/** Lets everything run that waits for promises only. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Time that stands still until it is advanced. Wall time starts in 2026, monotonic time at 0. */
export function createFakeTime() {
  const timers = new Map<number, Readonly<{ atMs: number; run: () => void }>>()
  let nowMs = 0
  let next = 0
  const clock: Clock = { nowUs: () => 1_767_225_600_000_000 + nowMs * 1_000, monotonicMs: () => nowMs }
  const scheduler: Scheduler = {
    after: (ms, run) => {
      const id = next++
      timers.set(id, { atMs: nowMs + Math.max(ms, 0), run })
      return () => void timers.delete(id)
    },
  }
  /** Fires what is due within `ms`, in order, and lets the consequences of each happen at its time. */
  const advance = async (ms: number) => {
    const endMs = nowMs + ms
    await settle()
    for (;;) {
      const [first] = [...timers].filter(([, { atMs }]) => atMs <= endMs).sort(byTime)
      if (first === undefined) break
      timers.delete(first[0])
      nowMs = Math.max(nowMs, first[1].atMs)
      first[1].run()
      await settle()
    }
    nowMs = endMs
  }
  return { clock, scheduler, advance, settle, timers: () => timers.size }
}

const byTime = (
  [leftId, left]: [number, { atMs: number }],
  [rightId, right]: [number, { atMs: number }],
): number => left.atMs - right.atMs || leftId - rightId
