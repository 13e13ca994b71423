/** Runs `run` once after `ms`, unless what it answers was called before. */
export type Scheduler = Readonly<{ after: (ms: number, run: () => void) => () => void }>

/** Longer timers fire at once in Node: they do not fit its 32 bits. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The machine's timers, in whole milliseconds and never early. */
export const systemScheduler: Scheduler = {
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.ceil(Math.max(ms, 0)), TIMER_MS_MAX))
    return () => clearTimeout(timer)
  },
}
