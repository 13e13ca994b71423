/** Begins to measure a piece of work; what it answers tells, as often as it is asked, how long that took of its thread by then, ms. */
export type StartWork = () => () => number

/** Work that took no longer than this by the wall was not interrupted for long. */
const WALL_MS_BELIEVED = 2
/** A look at the time on a core is believed for so long, and the wall from there on. */
export const CPU_LOOK_MS = 0.25

/**
 * How long work takes of this thread: by the wall while that is about a turn, beyond it by the thread's own time on a core. A
 * machine with more busy threads than cores takes a thread away in the midst of its work, for as long as several turns.
 * The kernel brings `cpuMs` up to date every tick or so: a single figure is off by up to that, their sum is not.
 * Cost: a look at the wall; once a piece of work, and every CPU_LOOK_MS after WALL_MS_BELIEVED, a look at `cpuMs`, about 2 µs.
 */
export function createWorkTime(wallMs: () => number, cpuMs: () => number = threadCpuMs): StartWork {
  return () => {
    const [sinceMs, sinceCpuMs] = [wallMs(), cpuMs()]
    let lookedMs = Number.NEGATIVE_INFINITY
    let toldMs = 0
    return () => {
      const nowMs = wallMs()
      const tookMs = nowMs - sinceMs
      if (tookMs <= WALL_MS_BELIEVED) return tookMs
      const sinceLookMs = nowMs - lookedMs
      if (sinceLookMs < CPU_LOOK_MS) return toldMs + sinceLookMs
      lookedMs = nowMs
      toldMs = Math.min(tookMs, cpuMs() - sinceCpuMs)
      return toldMs
    }
  }
}

/** Time that this thread was on a core, ms. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
