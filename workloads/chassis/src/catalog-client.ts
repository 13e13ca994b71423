import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  Catalog,
  type CatalogSnapshot,
  CatalogSnapshotSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type CatalogView, viewOfCatalog } from './catalog-view.ts'
import { createGrpcClient } from './grpc-client.ts'
import type { RoleContext } from './running-role.ts'

export type CatalogClient = Readonly<{
  /** The newest catalog known; undefined until the first one came. */
  current: () => CatalogView | undefined
  /** Calls `listener` after every change; answers how to stop that. */
  onChange: (listener: (view: CatalogView) => void) => () => void
  /** Resolves with the first catalog. Errors: TN_CATALOG_UNAVAILABLE when `signal` aborts before. */
  whenReady: (signal: AbortSignal) => Promise<CatalogView>
  /** ms since the control plane last said anything; Infinity before it ever did. */
  ageMs: () => number
  close: () => Promise<void>
}>

const BACKOFF_MS_MIN = 100
const BACKOFF_MS_MAX = 2_000

/**
 * Follows the catalog for ever. The last snapshot is kept in `cacheFile`, so a role starts and works on while the control
 * plane is away. A lower revision of the same catalog is ignored; another catalog id is another catalog and taken.
 */
export function createCatalogClient(
  options: Readonly<{ address: string; watcher: string; cacheFile?: string; context: RoleContext }>,
): CatalogClient {
  const { context, cacheFile, watcher } = options
  const client = createGrpcClient(Catalog, options.address)
  const listeners = new Set<(view: CatalogView) => void>()
  const ending = new AbortController()
  let heardAtMs = Number.NEGATIVE_INFINITY
  let view = cacheFile === undefined ? undefined : readCached(cacheFile, context)

  const take = (snapshot: CatalogSnapshot) => {
    heardAtMs = context.clock.monotonicMs()
    if (view?.catalogId === snapshot.catalogId && Number(snapshot.revision) <= view.revision) return
    view = viewOfCatalog(snapshot)
    if (cacheFile !== undefined) writeCached(cacheFile, snapshot, context)
    for (const listener of listeners) listener(view)
  }
  const follow = async () => {
    for (let backoffMs = BACKOFF_MS_MIN; !ending.signal.aborted; ) {
      try {
        // Revision 0: always ask for the whole catalog, since another catalog id may stand behind a lower revision.
        for await (const snapshot of client.watch({ watcher, revision: 0n }, { signal: ending.signal })) {
          take(snapshot)
          backoffMs = BACKOFF_MS_MIN
        }
      } catch (err) {
        context.log.warn({ err, address: options.address }, 'the control plane does not answer; working on')
      }
      const jitter = 0.5 + Math.random() / 2
      await sleep(backoffMs * jitter, undefined, { signal: ending.signal }).catch(() => {})
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)
    }
  }
  const following = follow()
  const onChange: CatalogClient['onChange'] = (listener) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  return {
    current: () => view,
    onChange,
    whenReady: (signal) => whenReady(() => view, onChange, signal),
    ageMs: () => context.clock.monotonicMs() - heardAtMs,
    close: async () => {
      ending.abort()
      await following
      client.close()
    },
  }
}

function whenReady(
  current: CatalogClient['current'],
  onChange: CatalogClient['onChange'],
  signal: AbortSignal,
): Promise<CatalogView> {
  const view = current()
  if (view !== undefined) return Promise.resolve(view)
  return new Promise((resolve, reject) => {
    const stop = onChange((first) => {
      signal.removeEventListener('abort', aborted)
      stop()
      resolve(first)
    })
    function aborted() {
      stop()
      reject(new TrueNowError('TN_CATALOG_UNAVAILABLE', 'No catalog came from the control plane in time.'))
    }
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

function readCached(cacheFile: string, context: RoleContext): CatalogView | undefined {
  try {
    return viewOfCatalog(fromBinary(CatalogSnapshotSchema, readFileSync(cacheFile)))
  } catch (err) {
    const missing = (err as NodeJS.ErrnoException).code === 'ENOENT'
    if (!missing)
      context.log.warn({ err, cacheFile }, 'the kept catalog cannot be read; waiting for the control plane')
    return undefined
  }
}

function writeCached(cacheFile: string, snapshot: CatalogSnapshot, context: RoleContext): void {
  try {
    const file = openSync(`${cacheFile}.new`, 'w')
    writeSync(file, toBinary(CatalogSnapshotSchema, snapshot))
    fsyncSync(file)
    closeSync(file)
    renameSync(`${cacheFile}.new`, cacheFile)
  } catch (err) {
    context.log.warn({ err, cacheFile }, 'the catalog could not be kept on disk')
  }
}
