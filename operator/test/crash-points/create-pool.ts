/** `rank`: of all that wait, the lowest begins first, and of one rank whoever came first. */
export type Pool = <T>(work: () => Promise<T>, rank: number) => Promise<T>

/** Runs at most `max` at once. */
export function createPool(max: number): Pool {
  let running = 0
  const waiting: Array<Readonly<{ rank: number; begin: () => void }>> = []
  return async (work, rank) => {
    if (running >= max)
      await new Promise<void>((begin) => {
        const later = waiting.findIndex((one) => one.rank > rank)
        waiting.splice(later === -1 ? waiting.length : later, 0, { rank, begin })
      })
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next.begin() // It takes this place.
    }
  }
}
