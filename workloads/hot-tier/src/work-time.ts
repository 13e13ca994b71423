/** Begins to measure a piece of work; what it answers tells, as often as it is asked, how long that took of its thread by then, ms. */
export type StartWork = () => () => number

/** Work that took no longer than this by the wall was not interrupted for long. */
const WALL_MS_BELIEVED = 2

/**
 * How long work takes of this thread: by the wall while that is about a turn, beyond it by the thread's own time on a core. A
 * machine with more busy threads than cores takes a thread away in the midst of its work, for as long as several turns.
 * The kernel brings `cpuMs` up to date every tick or so: a single figure is off by up to that, their sum is not.
 * Cost: a look at the wall; twice a piece of work, or for each look after WALL_MS_BELIEVED, a look at `cpuMs`, about 1 µs.
 */
export function createWorkTime(wallMs: () => number, cpuMs: () => number = threadCpuMs): StartWork {
  return () => {
    const [sinceMs, sinceCpuMs] = [wallMs(), cpuMs()]
    return () => {
      const tookMs = wallMs() - sinceMs
      return tookMs <= WALL_MS_BELIEVED ? tookMs : Math.min(tookMs, cpuMs() - sinceCpuMs)
    }
  }
}

/** Time that this thread was on a core, ms. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
