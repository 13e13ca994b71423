/** Time as an argument: `nowUs` is wall time in µs since 1970; `monotonicMs` never steps back and has no meaning but differences. */
export type Clock = Readonly<{ nowUs: () => number; monotonicMs: () => number }>

/** The machine's clock; the only place that reads it. */
export const systemClock: Clock = {
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1_000),
  monotonicMs: () => performance.now(),
}
