import type { Scheduler } from './scheduler.ts'

/** Which incarnation and version is there, by `namespace/name`. */
type Versions = ReadonlyMap<string, string>
export type RelistCheck = Readonly<{ close: () => Promise<void>; touch: (key: string) => void }>

/**
 * Lists everything now and then beside the watch and compares. A list is newer than the watch, so a difference alone
 * proves nothing; what the watch has not told either by `graceMs` later was missed. Nothing is concluded when the
 * connection is another than before the list: what it owed is told by the next one.
 */
export function createRelistCheck(
  options: Readonly<{
    scheduler: Scheduler
    everyMs: () => number
    graceMs: number
    list: () => Promise<Versions>
    held: () => Versions
    /** The standing connection; undefined while there is none that is old enough to be relied on. */
    connection: () => object | undefined
    onMissed: (keys: readonly string[]) => void
    onFailure: (error: unknown) => void
  }>,
): RelistCheck {
  const { scheduler, graceMs, connection } = options
  const touched = new Set<string>()
  let checking = false
  let closed = false
  let running: Promise<void> = Promise.resolve()
  let cancel = () => {}
  let endGrace = () => {}
  const check = async () => {
    const before = connection()
    if (before === undefined) return
    checking = true
    touched.clear()
    const listed = await options.list()
    await new Promise<void>((resolve) => {
      const cancelGrace = scheduler.after(graceMs, resolve)
      endGrace = () => {
        cancelGrace()
        resolve()
      }
      if (closed) endGrace()
    })
    if (closed || connection() !== before) return
    const missed = missedKeys(listed, options.held(), touched)
    if (missed.length > 0) options.onMissed(missed)
  }
  const arm = () => {
    if (closed) return
    cancel = scheduler.after(options.everyMs(), () => {
      running = check()
        .catch((error: unknown) => {
          if (!closed) options.onFailure(error)
        })
        .finally(() => {
          checking = false
          touched.clear()
          arm()
        })
    })
  }
  arm()
  return {
    touch: (key) => {
      if (checking) touched.add(key) // Bounded: a check lasts as long as a list, and the store bounds the keys.
    },
    close: async () => {
      closed = true
      cancel()
      endGrace()
      await running
    },
  }
}

/** What the list says otherwise, both ways, without those of which the watch has spoken since. */
export function missedKeys(listed: Versions, held: Versions, touched: ReadonlySet<string>): string[] {
  const differing = [...listed].filter(([key, version]) => held.get(key) !== version).map(([key]) => key)
  const leftOver = [...held.keys()].filter((key) => !listed.has(key))
  return [...differing, ...leftOver].filter((key) => !touched.has(key))
}
