/** Gives back a permit; calling it again does nothing. */
export type Release = () => void
export type Permits = Readonly<{
  /** A permit, or undefined when all are taken. */
  tryTake: () => Release | undefined
  /** A permit, in the order in which they are asked for; undefined when `signal` aborts before. */
  take: (signal: AbortSignal) => Promise<Release | undefined>
}>

/** At most `permitsMax` things at once. Who waits is bounded by who asks: one slot asks once. */
export function createPermits(permitsMax: number): Permits {
  let free = permitsMax
  const waiting = new Set<() => void>()
  const tryTake = (): Release | undefined => {
    if (free === 0) return undefined
    free -= 1
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      free += 1
      const [next] = waiting
      next?.()
    }
  }
  const wait = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      waiting.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  return {
    tryTake,
    take: async (signal) => {
      for (;;) {
        if (signal.aborted) return undefined
        const release = tryTake()
        if (release !== undefined) return release
        await wait(signal)
      }
    },
  }
}
