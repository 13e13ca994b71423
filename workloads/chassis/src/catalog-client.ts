import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
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
import type { Log } from './log.ts'
import type { RoleContext } from './running-role.ts'

export type CatalogClient = Readonly<{
  /** The newest catalog known; undefined until the first one came. */
  current: () => CatalogView | undefined
  /** Calls `listener` after every change; answers how to stop that. */
  onChange: (listener: (view: CatalogView) => void) => () => void
  /** Resolves with the first catalog. Errors: TN_CATALOG_UNAVAILABLE when `signal` aborts before. */
  whenReady: (signal: AbortSignal) => Promise<CatalogView>
  /**
   * ms for which the catalog may be out of date: 0 while the watch stands (a dead one is noticed within 5 s), then the
   * time since it broke; Infinity before the first.
   */
  ageMs: () => number
  close: () => Promise<void>
}>

const WARN_EVERY_MS = 30_000
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
  const { log, clock } = context
  const client = createGrpcClient(Catalog, options.address, context.tls)
  const listeners = new Set<(view: CatalogView) => void>()
  const ending = new AbortController()
  let watching = false
  let lostAtMs = Number.NEGATIVE_INFINITY
  let view = cacheFile === undefined ? undefined : readCached(cacheFile, log)

  const take = (snapshot: CatalogSnapshot) => {
    if (view?.catalogId === snapshot.catalogId && Number(snapshot.revision) <= view.revision) return
    view = viewOfCatalog(snapshot)
    if (cacheFile !== undefined) writeCached(cacheFile, snapshot, log)
    for (const listener of [...listeners]) {
      try {
        listener(view)
      } catch (err) {
        log.error({ err, revision: view.revision }, 'a listener failed on a new catalog') // The others still hear of it.
      }
    }
  }
  const watchOnce = async () => {
    // What we hold, so that a control plane that was restored from a backup goes on above it: we ignore what is lower.
    const request = { watcher, revision: BigInt(view?.revision ?? 0) }
    const onOpen = () => {
      watching = true
    }
    for await (const snapshot of client.watch(request, { signal: ending.signal, onOpen })) take(snapshot)
  }
  const follow = async () => {
    let backoffMs = BACKOFF_MS_MIN
    let warnedAtMs = Number.NEGATIVE_INFINITY
    while (!ending.signal.aborted) {
      const err = await watchOnce().then(
        () => undefined,
        (error: unknown) => error,
      )
      if (ending.signal.aborted) return
      if (watching) {
        lostAtMs = clock.monotonicMs()
        backoffMs = BACKOFF_MS_MIN
        watching = false
      }
      if (clock.monotonicMs() - warnedAtMs >= WARN_EVERY_MS) {
        warnedAtMs = clock.monotonicMs()
        log.warn(
          { err, address: options.address },
          'the control plane does not answer; going on with the last catalog',
        )
      }
      await pause(backoffMs, ending.signal)
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
    ageMs: () => (watching ? 0 : clock.monotonicMs() - lostAtMs),
    close: async () => {
      ending.abort()
      await following
      client.close()
    },
  }
}

/** Waits `ms`, less up to half of it, so that all who lost the control plane at once do not return at once. */
const pause = (ms: number, signal: AbortSignal) =>
  sleep(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => {})

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

function readCached(cacheFile: string, log: Log): CatalogView | undefined {
  try {
    return viewOfCatalog(fromBinary(CatalogSnapshotSchema, readFileSync(cacheFile)))
  } catch (err) {
    const missing = (err as NodeJS.ErrnoException).code === 'ENOENT'
    if (!missing)
      log.warn({ err, cacheFile }, 'the kept catalog cannot be read; waiting for the control plane')
    return undefined
  }
}

function writeCached(cacheFile: string, snapshot: CatalogSnapshot, log: Log): void {
  try {
    mkdirSync(dirname(cacheFile), { recursive: true })
    writeFileSync(`${cacheFile}.new`, toBinary(CatalogSnapshotSchema, snapshot), { flush: true })
    renameSync(`${cacheFile}.new`, cacheFile)
  } catch (err) {
    log.warn({ err, cacheFile }, 'the catalog could not be kept on disk')
  }
}
