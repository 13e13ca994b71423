import type { Clock } from '@truenow/chassis/clock.ts'

export type TokenBucket = Readonly<{
  /** Takes a token, in debt if need be, and answers the ms after which it may be used. */
  reserve: () => number
  /** ms that `reserve` would answer now. */
  delayMs: () => number
}>

/** `burst` at once, then `perSecond`; whoever reserved first goes first. */
export function createTokenBucket(
  options: Readonly<{ perSecond: number; burst: number; clock: Clock }>,
): TokenBucket {
  const { perSecond, burst, clock } = options
  let tokens = burst
  let filledAtMs = clock.monotonicMs()
  const fill = () => {
    const nowMs = clock.monotonicMs()
    tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) * perSecond) / 1_000)
    filledAtMs = nowMs
  }
  const delayMs = () => {
    fill()
    return tokens >= 1 ? 0 : ((1 - tokens) * 1_000) / perSecond
  }
  return {
    delayMs,
    reserve: () => {
      const waitMs = delayMs()
      tokens -= 1
      return waitMs
    },
  }
}
