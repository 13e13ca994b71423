import type { Clock } from '@truenow/chassis/clock.ts'
import { FIELD_MANAGER } from '../api/names.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import { jsonLines } from './json-lines.ts'
import { createKubernetesCaller, type KubernetesCaller, type Send } from './kubernetes-call.ts'
import type { KubernetesMetrics } from './kubernetes-metrics.ts'
import {
  KubernetesError,
  type KubernetesPort,
  type ObjectKey,
  type Page,
  type Resource,
  type Stored,
  type WatchEvent,
} from './kubernetes-port.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'

const REQUEST_TIMEOUT_MS = 30_000
const REQUESTS_PER_SECOND_MAX = 50
const EVENT_TYPES = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

/**
 * The API server over any `send`. Bodies leave exactly as they were given: client-node's own serializer drops fields that
 * it does not know, and `from` of a NetworkPolicy with them, which opens the policy to everybody.
 */
export function createKubernetesRequests(
  options: Readonly<{
    send: Send
    clock: Clock
    random: () => number
    scheduler?: Scheduler
    requestTimeoutMs?: number
    requestsPerSecondMax?: number
    metrics?: KubernetesMetrics | undefined
    /** @default FIELD_MANAGER, the operator's: whoever else writes says so. */
    fieldManager?: string
    close?: () => Promise<void>
  }>,
): KubernetesPort {
  const caller = createKubernetesCaller({
    ...options,
    scheduler: options.scheduler ?? systemScheduler,
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    requestsPerSecondMax: options.requestsPerSecondMax ?? REQUESTS_PER_SECOND_MAX,
  })
  return {
    ...reads(caller),
    ...writes(caller, options.fieldManager ?? FIELD_MANAGER),
    retire: caller.retire,
    close: async () => {
      caller.close()
      await options.close?.()
    },
  }
}

function reads({
  call,
  stream,
}: KubernetesCaller): Pick<KubernetesPort, 'get' | 'served' | 'list' | 'podLog' | 'watch'> {
  return {
    get: <Kind extends Stored>(resource: Resource, key: ObjectKey, options = {}) =>
      call({ verb: 'get', method: 'GET', path: path(resource, key), repeatable: true, ...options }).then(
        (object) => object as Kind,
        unlessGone,
      ),
    served: async (apiVersion) => {
      const at = { verb: 'discover', method: 'GET', path: rootOf(apiVersion), repeatable: true } as const
      const found = await call(at).catch(unlessGone)
      const { resources = [] } = (found ?? {}) as Readonly<{ resources?: ReadonlyArray<{ name: string }> }>
      return resources.map(({ name }) => name)
    },
    list: async <Kind extends Stored>(
      resource: Resource,
      { namespace, labelSelector, limit, continueToken, signal }: Parameters<KubernetesPort['list']>[1],
    ): Promise<Page<Kind>> => {
      const query = { labelSelector, limit, continue: continueToken }
      const listed = await call({
        verb: 'list',
        method: 'GET',
        path: path(resource, { namespace }, query),
        repeatable: true,
        signal,
      })
      return pageOf<Kind>(resource, listed)
    },
    podLog: async (key, { lines, bytesMax, previous = false }) => {
      const query = { tailLines: lines, limitBytes: bytesMax, previous }
      const at = path({ apiVersion: 'v1', kind: 'Pod', plural: 'pods' }, key, query, 'log')
      const chunks: Uint8Array[] = []
      for await (const chunk of stream({ verb: 'log', method: 'GET', path: at, repeatable: true }))
        chunks.push(chunk)
      return Buffer.concat(chunks).toString('utf8')
    },
    watch: (resource, { namespace, labelSelector, resourceVersion, timeoutS, signal }) => {
      const query = {
        watch: true,
        allowWatchBookmarks: true,
        labelSelector,
        resourceVersion,
        timeoutSeconds: timeoutS,
      }
      const at = path(resource, { namespace }, query)
      return watchEvents(stream({ verb: 'watch', method: 'GET', path: at, repeatable: false, signal }))
    },
  }
}

function writes(
  { call }: KubernetesCaller,
  fieldManager: string,
): Omit<KubernetesPort, 'get' | 'served' | 'list' | 'podLog' | 'watch' | 'retire' | 'close'> {
  return {
    apply: <Kind extends Stored>(
      resource: Resource,
      object: KubernetesObject,
      { force, subresource }: Parameters<KubernetesPort['apply']>[2],
    ) =>
      call({
        verb: subresource === undefined ? 'apply' : `apply-${subresource}`,
        method: 'PATCH',
        path: path(resource, object.metadata, { fieldManager, force }, subresource),
        contentType: 'application/apply-patch+yaml',
        body: object,
        repeatable: true,
      }) as Promise<Kind>,
    mergePatch: <Kind extends Stored>(
      resource: Resource,
      key: ObjectKey,
      patch: Readonly<Record<string, unknown>>,
      options = {},
    ) =>
      call({
        verb: 'patch',
        method: 'PATCH',
        path: path(resource, key, { fieldManager }),
        contentType: 'application/merge-patch+json',
        body: patch,
        repeatable: true,
        ...options,
      }) as Promise<Kind>,
    create: <Kind extends Stored>(resource: Resource, object: KubernetesObject, options = {}) =>
      call({
        verb: 'create',
        method: 'POST',
        path: path(resource, { namespace: object.metadata.namespace }, { fieldManager }),
        body: object,
        repeatable: false, // An answer lost after the deed would come back as AlreadyExists.
        ...options,
      }) as Promise<Kind>,
    replace: <Kind extends Stored>(resource: Resource, object: KubernetesObject, options = {}) =>
      call({
        verb: 'replace',
        method: 'PUT',
        path: path(resource, object.metadata, { fieldManager }),
        body: object,
        repeatable: true, // Its precondition turns a second one into Conflict.
        ...options,
      }) as Promise<Kind>,
    remove: (resource, key, uid, options) => remove(call, resource, key, { uid, ...options }),
  }
}

/** Gone is what was wanted, whoever did it; so is an object of another uid, which is nobody's to delete here. */
async function remove(
  call: KubernetesCaller['call'],
  resource: Resource,
  key: ObjectKey,
  {
    uid,
    orphan = false,
    resourceVersion,
  }: Readonly<{ uid: string; orphan?: boolean; resourceVersion?: string | undefined }>,
): Promise<void> {
  const at = path(resource, key)
  const body = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    propagationPolicy: orphan ? 'Orphan' : 'Background',
  }
  try {
    await call({ verb: 'delete', method: 'DELETE', path: at, body, repeatable: true })
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error
    if (error.status === 404) return
    if (error.status !== 409) throw error
    // Conflict says either "another uid" or "changed meanwhile"; only the object itself can tell.
    const now = await call({ verb: 'get', method: 'GET', path: at, repeatable: true }).catch(unlessGone)
    if ((now as Stored | undefined)?.metadata.uid === uid) throw error
  }
}

function unlessGone(error: unknown): undefined {
  if (error instanceof KubernetesError && error.status === 404) return undefined
  throw error
}

/** Lists of built-in kinds leave apiVersion and kind out of their items; the watch does not. */
function pageOf<Kind extends Stored>({ apiVersion, kind }: Resource, listed: unknown): Page<Kind> {
  const { metadata, items } = listed as Readonly<{
    metadata?: Readonly<{ resourceVersion?: string; continue?: string }>
    items?: readonly Kind[] | null
  }>
  if (metadata?.resourceVersion === undefined)
    throw new KubernetesError(`the list of ${kind} has no version`, { status: 0, reason: 'Unreadable' })
  return {
    items: (items ?? []).map((item) => ({ ...item, apiVersion, kind })),
    resourceVersion: metadata.resourceVersion,
    continueToken: metadata.continue ?? '',
  }
}

async function* watchEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent> {
  for await (const line of jsonLines(body)) {
    const { type, object } = (line ?? {}) as Partial<WatchEvent>
    if (type === undefined || !EVENT_TYPES.has(type) || typeof object !== 'object' || object === null)
      throw new KubernetesError(`no watch event: ${JSON.stringify(line).slice(0, 100)}`, {
        status: 0,
        reason: 'Unreadable',
      })
    yield { type, object }
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

const rootOf = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`

/** A name absent: the collection; a namespace absent: of all namespaces; an empty one: a kind that has none. */
function path(
  { apiVersion, plural }: Resource,
  { namespace, name }: Readonly<{ namespace?: string | undefined; name?: string }>,
  query: Query = {},
  subresource?: string,
): string {
  const parts = [
    rootOf(apiVersion),
    ...(namespace === undefined || namespace === '' ? [] : ['namespaces', encodeURIComponent(namespace)]),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)]),
    ...(subresource === undefined ? [] : [subresource]),
  ]
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]): [string, string] => [key, String(value)])
  const search = new URLSearchParams(pairs).toString()
  return search === '' ? parts.join('/') : `${parts.join('/')}?${search}`
}
