import { setTimeout as delay } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { CatalogSnapshot, WatchCatalogRequest } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Parts } from './parts.ts'

/** Watch streams that one process keeps; each holds a reference to the one snapshot, so this bounds sockets, not memory. */
export const WATCHERS_MAX = 4_096
/** Changes that come closer together than this are sent as one. */
const COALESCE_MS = 20

/** Catalog.Watch: the whole catalog at once, and again after every change, until the watcher goes. */
export function createCatalogWatch({ follower, store, log, metrics }: Parts) {
  let watchers = 0

  /**
   * Only a restored backup can know less than a watcher. Its next revision goes above what the watcher holds, else that
   * one would not believe anything new.
   */
  async function outgrow(held: bigint): Promise<void> {
    if (held > BigInt(Number.MAX_SAFE_INTEGER) - 2n) return
    await store.change('watch', async ({ catalog, touch, audit }) => {
      if (BigInt(catalog.revision) >= held) return
      audit('raise-revision', 'catalog', `${catalog.revision} → above ${held}: a watcher holds it`)
      catalog.revision = Number(held)
      touch()
    })
    await follower.refresh()
  }

  return async function* watchCatalog(
    { watcher, revision }: WatchCatalogRequest,
    { signal }: Readonly<{ signal: AbortSignal }>,
  ): AsyncGenerator<CatalogSnapshot> {
    if (watchers >= WATCHERS_MAX) {
      throw new TrueNowError(
        'TN_OVERLOADED',
        `${WATCHERS_MAX} watchers are connected (WATCHERS_MAX); ask another replica.`,
      )
    }
    metrics.watchers.set(++watchers)
    log.debug({ watcher, revision: Number(revision) }, 'watcher connected')
    try {
      let held = revision
      let catalogId: string | undefined
      let claim = revision
      while (!signal.aborted) {
        const snapshot = follower.current()
        if (snapshot !== undefined && claim > snapshot.revision && (await follower.refresh())) {
          if (claim > (follower.current()?.revision ?? claim)) await outgrow(claim)
          claim = 0n
          continue
        }
        const another = catalogId !== undefined && catalogId !== snapshot?.catalogId
        if (snapshot !== undefined && (another || snapshot.revision > held)) {
          held = snapshot.revision
          catalogId = snapshot.catalogId
          yield snapshot
          await delay(COALESCE_MS, undefined, { signal }).catch(() => {})
        } else {
          await follower.changed(signal)
        }
      }
    } finally {
      metrics.watchers.set(--watchers)
      log.debug({ watcher }, 'watcher left')
    }
  }
}
