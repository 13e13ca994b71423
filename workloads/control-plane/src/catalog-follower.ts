import type { Log } from '@truenow/chassis/log.ts'
import type { CatalogSnapshot } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type CatalogStore, isCatalogGone } from './catalog-store.ts'
import { readCatalog } from './read-catalog.ts'

/** How PostgreSQL looked when it was last asked. `gone`: the schema was deleted under this process. */
export type StoreState = 'answering' | 'away' | 'gone'

/**
 * The newest snapshot of the catalog, read again when its revision has changed: at once after a change of our own, and
 * every `pollMs` for those of other processes. With PostgreSQL away it keeps what it has.
 */
export type CatalogFollower = Readonly<{
  current: () => CatalogSnapshot | undefined
  state: () => StoreState
  /** Reads again now if the revision has moved; false when PostgreSQL did not answer. */
  refresh: () => Promise<boolean>
  /** Resolves after the next change of the snapshot, or when `signal` aborts. */
  changed: (signal: AbortSignal) => Promise<void>
  close: () => Promise<void>
}>

export type FollowerOptions = Readonly<{
  store: CatalogStore
  log: Log
  pollMs: number
  onState: (state: StoreState) => void
}>

export function createCatalogFollower({ store, log, pollMs, onState }: FollowerOptions): CatalogFollower {
  let snapshot: CatalogSnapshot | undefined
  let state: StoreState = 'away'
  let waiters = new Set<() => void>()
  let running: Promise<boolean> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false
  /** From the first refresh on: before it the schema may not be there, and PostgreSQL logs every look as an error. */
  let polling = false

  function become(next: StoreState, error?: unknown): void {
    if (next === state) return
    if (next === 'away')
      log.warn({ err: error }, 'PostgreSQL does not answer; the last catalog goes on being served')
    else log.info({ state: next }, 'state of the catalog store changed')
    state = next
    onState(next)
  }

  async function readIfMoved(): Promise<boolean> {
    try {
      const [row] = await store.query<{ catalog_id: string; revision: number }>(
        'SELECT catalog_id, revision FROM $schema.catalog',
      )
      const same =
        row?.catalog_id === snapshot?.catalogId &&
        row !== undefined &&
        BigInt(row.revision) === snapshot?.revision
      if (!same) {
        snapshot = await store.read(readCatalog)
        const wake = waiters
        waiters = new Set()
        for (const resolve of wake) resolve()
      }
      become('answering')
      return true
    } catch (error) {
      become(isCatalogGone(error) ? 'gone' : 'away', error)
      return false
    }
  }

  /** One read at a time; whoever asks during one gets another after it, because that one may have begun too early. */
  function refresh(): Promise<boolean> {
    const before = running ?? Promise.resolve(true)
    const mine = before.then(readIfMoved)
    running = mine
    if (!polling) poll()
    return mine
  }

  function poll(): void {
    if (closed) return
    polling = true
    timer = setTimeout(() => {
      void refresh().then(poll)
    }, pollMs)
  }

  return {
    current: () => snapshot,
    state: () => state,
    refresh,
    changed: (signal) =>
      new Promise((resolve) => {
        const done = () => {
          waiters.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        if (signal.aborted || closed) return resolve()
        waiters.add(done)
        signal.addEventListener('abort', done)
      }),
    close: async () => {
      closed = true
      clearTimeout(timer)
      for (const resolve of [...waiters]) resolve()
      await running
    },
  }
}
