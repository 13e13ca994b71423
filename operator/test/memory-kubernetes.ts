import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '@truenow/chassis/clock.ts'
import { FIELD_MANAGER } from '../src/api/names.ts'
import {
  KubernetesError,
  type KubernetesPort,
  type ObjectKey,
  type Resource,
  type WatchEvent,
} from '../src/kubernetes/kubernetes-port.ts'

type Json = Record<string, unknown>
type Meta = {
  name: string
  namespace: string
  uid: string
  resourceVersion: string
  generation?: number
  creationTimestamp: string
  deletionTimestamp?: string
  finalizers?: string[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: { uid: string }[]
}
export type MemoryObject = Json & { apiVersion: string; kind: string; metadata: Meta }
export type Call = Readonly<{ verb: string; kind: string; name: string }>
type Entry = { object: MemoryObject; owners: Map<string, string> }
type Happened = Readonly<{ version: number; type: WatchEvent['type']; object: MemoryObject }>

export const WRITES = ['apply', 'mergePatch', 'create', 'replace', 'remove']
/** Of an object whose children shall outlive it. */
export const ORPHAN = 'orphan'
/** Kinds whose spec the API server does not number. */
const UNNUMBERED = [
  'Service',
  'ServiceAccount',
  'PersistentVolumeClaim',
  'ConfigMap',
  'Event',
  'Lease',
  'Pod',
  'Secret',
]

/**
 * An API server in memory, as far as the operator can tell: server-side apply with one owner for each field (lists are one
 * field), preconditions, generations, finalizers, deletion with cascade, label selectors, namespaces that end, lists and
 * watches. `around` sees every call and may let it fail before or after it took effect. What it hands out is never changed
 * afterwards, so nothing is copied.
 */
export function createMemoryKubernetes(clock: Clock) {
  const server = new Server(clock)
  const calls: Call[] = []
  const hooks: { around: <Answer>(call: Call, work: () => Answer) => Answer | Promise<Answer> } = {
    around: (_call, work) => work(),
  }
  const ask = async <Answer>(verb: string, kind: string, name: string, work: () => Answer) => {
    const call = { verb, kind, name }
    calls.push(call)
    return hooks.around(call, work)
  }
  /** What pods said, by name; of a former run under `<name> --previous`. */
  const logs = new Map<string, string>()
  /** Plurals by group and version that come and go with their definitions. */
  const served = new Map<string, readonly string[]>()
  const port: KubernetesPort = {
    served: (apiVersion) => ask('served', apiVersion, '', () => served.get(apiVersion) ?? []),
    get: (resource, key) =>
      ask('get', resource.kind, key.name, () => server.find(resource.kind, key) as never),
    list: (resource, { namespace, labelSelector }) =>
      ask('list', resource.kind, '', () => ({
        items: server.list(resource.kind, namespace, labelSelector) as never,
        resourceVersion: String(server.version),
        continueToken: '',
      })),
    apply: (resource, object, { force, subresource }) =>
      ask(
        'apply',
        resource.kind,
        object.metadata.name,
        () =>
          server.apply(copy(object) as never, {
            force,
            status: subresource === 'status',
            manager: FIELD_MANAGER,
          }) as never,
      ),
    mergePatch: (resource, key, patch) =>
      ask('mergePatch', resource.kind, key.name, () => server.mergePatch(resource.kind, key, patch) as never),
    create: (resource, object) =>
      ask('create', resource.kind, object.metadata.name, () => server.create(object as never) as never),
    replace: (resource, object) =>
      ask('replace', resource.kind, object.metadata.name, () => server.replace(object as never) as never),
    remove: (resource, key, uid, { orphan = false, resourceVersion } = {}) =>
      ask('remove', resource.kind, key.name, () => {
        const object = server.find(resource.kind, key)
        if (object?.metadata.uid === uid) precondition(object, { resourceVersion })
        if (orphan) server.removeOrphaning(resource.kind, key, uid)
        else server.remove(resource.kind, key, uid)
      }),
    podLog: ({ name }, { previous = false }) =>
      ask('log', 'Pod', name, () => logs.get(previous ? `${name} --previous` : name) ?? ''),
    watch: (resource, options) => server.watch(resource, options),
    retire: () => {},
    close: async () => {},
  }
  return {
    port,
    calls,
    hooks,
    served,
    logs,
    writes: () => calls.filter(({ verb }) => WRITES.includes(verb)).length,
    find: (kind: string, key: ObjectKey) => server.find(kind, key),
    list: (kind: string) => server.list(kind),
    dump: () => [...server.entries.values()].map(({ object }) => object),
    create: (object: Json) => server.create(copy(object) as never, 'kubectl'),
    /** As `kubectl edit` does: whoever edits owns what changed. */
    edit: (kind: string, key: ObjectKey, change: (draft: Json) => void, manager = 'kubectl') =>
      server.edit(kind, key, change, manager),
    delete: (kind: string, key: ObjectKey) => server.remove(kind, key),
    endNamespace: (namespace: string) => server.endNamespace(namespace),
  }
}

class Server {
  readonly entries = new Map<string, Entry>()
  version = 100
  readonly #clock: Clock
  readonly #born = new Map<string, number>()
  readonly #ending = new Set<string>()
  readonly #happened: Happened[] = []
  #wake = Promise.withResolvers<void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  find(kind: string, { namespace, name }: ObjectKey): MemoryObject | undefined {
    return this.entries.get(`${kind}/${namespace}/${name}`)?.object
  }

  list(kind: string, namespace?: string, labelSelector = ''): MemoryObject[] {
    return [...this.entries.values()]
      .map(({ object }) => object)
      .filter(
        (object) =>
          object.kind === kind && (namespace ?? object.metadata.namespace) === object.metadata.namespace,
      )
      .filter(({ metadata }) => isSelected(metadata.labels ?? {}, labelSelector))
  }

  create(object: MemoryObject, manager = FIELD_MANAGER): MemoryObject {
    const { namespace, name } = object.metadata
    const key = `${object.kind}/${namespace}/${name}`
    if (this.entries.has(key)) throw refusal(409, 'AlreadyExists', `${key} already exists`)
    if (this.#ending.has(namespace))
      throw refusal(403, 'Forbidden', `namespace ${namespace} is being terminated`)
    const incarnation = (this.#born.get(key) ?? 0) + 1
    this.#born.set(key, incarnation)
    const { kind } = object
    const made: MemoryObject = {
      ...copy(object),
      metadata: {
        ...copy(object.metadata),
        uid: `${kind}-${namespace}-${name}-${incarnation}`,
        resourceVersion: '0',
        creationTimestamp: rfc3339(this.#clock),
        ...(UNNUMBERED.includes(kind) ? {} : { generation: 1 }),
      },
    }
    // A default, so that what the server adds is not taken for somebody's edit.
    if (kind === 'Deployment') (made.spec as Json).revisionHistoryLimit = 10
    const owners = new Map([...leaves(object)].map(([path]) => [path, manager]))
    this.entries.set(key, { object: made, owners })
    return this.#tell('ADDED', made)
  }

  apply(
    wanted: MemoryObject,
    by: Readonly<{ force: boolean; status: boolean; manager: string }>,
  ): MemoryObject {
    const { kind, metadata } = wanted
    const entry = this.entries.get(`${kind}/${metadata.namespace}/${metadata.name}`)
    const asked = {
      uid: metadata.uid as string | undefined,
      resourceVersion: metadata.resourceVersion as string | undefined,
    }
    const scope = (path: string) => (path.split('\n')[0] === 'status') === by.status
    const plain = [...leaves(wanted)].filter(([path]) => scope(path))
    if (entry === undefined) {
      if (by.status) throw refusal(404, 'NotFound', `${kind} ${metadata.name} not found`)
      if (asked.uid !== undefined)
        throw refusal(409, 'Conflict', `no ${kind} ${metadata.name} of uid ${asked.uid}`)
      return this.create(wanted, by.manager)
    }
    precondition(entry.object, asked)
    refuseOtherVolumes(entry.object, wanted)
    const next = copy(entry.object)
    const foreign = plain.filter(
      ([path, value]) =>
        (entry.owners.get(path) ?? by.manager) !== by.manager && !isDeepStrictEqual(at(next, path), value),
    )
    if (foreign.length > 0 && !by.force) {
      const whose = foreign.map(([path]) => `${entry.owners.get(path)}: ${path.replaceAll('\n', '.')}`)
      throw refusal(409, 'Conflict', `Apply failed with ${foreign.length} conflicts: ${whose.join('; ')}`)
    }
    const told = new Set(plain.map(([path]) => path))
    for (const [path, owner] of [...entry.owners]) {
      if (owner !== by.manager || !scope(path) || told.has(path)) continue
      unset(next, path)
      entry.owners.delete(path)
    }
    for (const [path, value] of plain) {
      set(next, path, value)
      entry.owners.set(path, by.manager)
    }
    return this.#store(entry, next)
  }

  mergePatch(kind: string, key: ObjectKey, patch: Json): MemoryObject {
    const entry = this.#entry(kind, key)
    precondition(entry.object, (patch.metadata ?? {}) as Json)
    const { uid: _uid, resourceVersion: _version, ...metadata } = (patch.metadata ?? {}) as Json
    return this.#store(entry, merged(entry.object, { ...patch, metadata }) as MemoryObject)
  }

  replace(object: MemoryObject): MemoryObject {
    const entry = this.#entry(object.kind, object.metadata)
    precondition(entry.object, object.metadata)
    return this.#store(entry, copy(object))
  }

  edit(kind: string, key: ObjectKey, change: (draft: Json) => void, manager: string): MemoryObject {
    const entry = this.#entry(kind, key)
    const next = copy(entry.object)
    change(next)
    const before = new Map(leaves(entry.object))
    for (const [path, value] of leaves(next))
      if (!isDeepStrictEqual(before.get(path), value)) entry.owners.set(path, manager)
    return this.#store(entry, next)
  }

  remove(kind: string, key: ObjectKey, uid?: string): void {
    const object = this.find(kind, key)
    if (object === undefined || (uid ?? object.metadata.uid) !== object.metadata.uid) return
    if ((object.metadata.finalizers ?? []).length === 0) {
      this.#drop(object)
      return
    }
    if (object.metadata.deletionTimestamp !== undefined) return
    const metadata = { ...object.metadata, deletionTimestamp: rfc3339(this.#clock) }
    this.#store(this.#entry(kind, key), { ...object, metadata })
  }

  /** As with propagationPolicy Orphan: the object stays, terminating, until the garbage collector has let go of what it owns. */
  removeOrphaning(kind: string, key: ObjectKey, uid: string): void {
    const object = this.find(kind, key)
    if (
      object === undefined ||
      uid !== object.metadata.uid ||
      object.metadata.deletionTimestamp !== undefined
    )
      return
    const metadata = { ...object.metadata, deletionTimestamp: rfc3339(this.#clock), finalizers: [ORPHAN] }
    this.#store(this.#entry(kind, key), { ...object, metadata })
  }

  /** As the namespace controller does: nothing new, and everything in it is deleted, in no order that anyone may rely on. */
  endNamespace(namespace: string): void {
    this.#ending.add(namespace)
    for (const { object } of [...this.entries.values()].reverse())
      if (object.metadata.namespace === namespace) this.remove(object.kind, object.metadata)
  }

  async *watch(
    { kind }: Resource,
    { namespace, labelSelector, resourceVersion, signal }: Parameters<KubernetesPort['watch']>[1],
  ): AsyncGenerator<WatchEvent> {
    let seen = Number(resourceVersion)
    const stopped = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    while (!signal.aborted) {
      const wake = this.#wake.promise
      for (const { version, type, object } of this.#happened.filter((one) => one.version > seen)) {
        seen = version
        if (object.kind !== kind || (namespace ?? object.metadata.namespace) !== object.metadata.namespace)
          continue
        if (isSelected(object.metadata.labels ?? {}, labelSelector ?? '')) yield { type, object }
      }
      await Promise.race([wake, stopped])
    }
  }

  #entry(kind: string, key: ObjectKey): Entry {
    const found = this.entries.get(`${kind}/${key.namespace}/${key.name}`)
    if (found === undefined) throw refusal(404, 'NotFound', `${kind} ${key.name} not found`)
    return found
  }

  #store(entry: Entry, next: MemoryObject): MemoryObject {
    const { object } = entry
    if (next.metadata.finalizers?.length === 0) delete next.metadata.finalizers
    if (isDeepStrictEqual(object, next)) return object
    const { metadata: _m, status: _s, ...spec } = next
    const { metadata: _n, status: _t, ...specBefore } = object
    if (object.metadata.generation !== undefined && !isDeepStrictEqual(spec, specBefore))
      next.metadata.generation = object.metadata.generation + 1
    entry.object = next
    if (next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0) {
      this.#drop(next)
      return next
    }
    return this.#tell('MODIFIED', next)
  }

  #drop(object: MemoryObject): void {
    const { kind, metadata } = object
    this.entries.delete(`${kind}/${metadata.namespace}/${metadata.name}`)
    this.#tell('DELETED', object)
    for (const { object: child } of [...this.entries.values()])
      if ((child.metadata.ownerReferences ?? []).some(({ uid }) => uid === metadata.uid))
        this.remove(child.kind, child.metadata)
  }

  #tell(type: WatchEvent['type'], object: MemoryObject): MemoryObject {
    this.version += 1
    object.metadata.resourceVersion = String(this.version)
    this.#happened.push({ version: this.version, type, object })
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
    return object
  }
}

const refusal = (status: number, reason: string, message: string) =>
  new KubernetesError(message, { status, reason })
const rfc3339 = (clock: Clock) => `${new Date(clock.nowUs() / 1_000).toISOString().slice(0, 19)}Z`
/** Several times as fast as structuredClone, and all is JSON. */
const copy = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value
const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The API server's answer to a StatefulSet whose volumes would differ. */
function refuseOtherVolumes(before: MemoryObject, wanted: MemoryObject): void {
  const volumes = ({ spec }: MemoryObject) => JSON.stringify((spec as Json | undefined)?.volumeClaimTemplates)
  if (wanted.kind !== 'StatefulSet' || volumes(before) === volumes(wanted)) return
  throw refusal(422, 'Invalid', 'spec: Forbidden: updates to statefulset spec for fields other than replicas are forbidden') // biome-ignore format: one line
}

function precondition({ kind, metadata }: MemoryObject, { uid, resourceVersion }: Json): void {
  if (
    (uid ?? metadata.uid) !== metadata.uid ||
    (resourceVersion ?? metadata.resourceVersion) !== metadata.resourceVersion
  )
    throw refusal(409, 'Conflict', `${kind} ${metadata.name} has been changed; read it again`)
}

function isSelected(labels: Readonly<Record<string, string>>, selector: string): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [key = '', value] = term.split('=')
      return value === undefined ? key in labels : labels[key] === value
    })
}

/** Selectors are one field, as the API server has it. */
const ATOMIC = ['selector', 'podSelector']

/** The fields of an object that somebody can own, by path; a list is one field. */
function* leaves(object: unknown, path = ''): Generator<[path: string, value: unknown]> {
  const ignored = [
    'apiVersion',
    'kind',
    'metadata\nname',
    'metadata\nnamespace',
    'metadata\nuid',
    'metadata\nresourceVersion',
  ]
  const server = ['metadata\ngeneration', 'metadata\ncreationTimestamp', 'metadata\ndeletionTimestamp']
  if (ignored.includes(path) || server.includes(path)) return
  const isField = !isRecord(object) || ATOMIC.includes(path.split('\n').at(-1) ?? '')
  if (isField || (path !== '' && Object.keys(object).length === 0)) yield [path, object]
  else
    for (const [key, value] of Object.entries(object))
      yield* leaves(value, path === '' ? key : `${path}\n${key}`)
}

function at(object: Json, path: string): unknown {
  return path.split('\n').reduce<unknown>((found, key) => (isRecord(found) ? found[key] : undefined), object)
}

function set(object: Json, path: string, value: unknown): void {
  const keys = path.split('\n')
  const last = keys.pop() as string
  let place = object
  for (const key of keys) {
    if (!isRecord(place[key])) place[key] = {}
    place = place[key] as Json
  }
  // An empty object says that it is there, not that it is empty.
  if (isRecord(value) && Object.keys(value).length === 0 && isRecord(place[last])) return
  place[last] = value
}

/** What was all of its parent takes that along, as Go leaves out what is empty. */
function unset(object: Json, path: string): void {
  const keys = path.split('\n')
  const last = keys.pop() as string
  const place = keys.length === 0 ? object : at(object, keys.join('\n'))
  if (!isRecord(place)) return
  delete place[last]
  if (keys.length > 0 && Object.keys(place).length === 0) unset(object, keys.join('\n'))
}

function merged(value: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return copy(patch)
  const result: Json = isRecord(value) ? copy(value) : {}
  for (const [key, given] of Object.entries(patch)) {
    if (given === null) delete result[key]
    else result[key] = merged(result[key], given)
  }
  return result
}
