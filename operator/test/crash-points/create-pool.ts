export type Pool = <T>(work: () => Promise<T>) => Promise<T>

/** Runs at most `max` at once, the others in the order in which they came. */
export function createPool(max: number): Pool {
  let running = 0
  const waiting: Array<() => void> = []
  return async (work) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next() // It takes this place.
    }
  }
}
