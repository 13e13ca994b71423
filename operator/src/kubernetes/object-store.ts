import { KubernetesError, type ObjectKey, type Stored } from './kubernetes-port.ts'

export type Change<Kind> = Readonly<{ kind: 'set' | 'gone'; object: Kind }>
export type ObjectStore<Kind> = Readonly<{
  get: (key: ObjectKey) => Kind | undefined
  all: () => readonly Kind[]
  size: () => number
  /** By `namespace/name`, which incarnation and version is held. */
  versions: () => ReadonlyMap<string, string>
  set: (object: Kind) => Change<Kind>[]
  remove: (object: Kind) => Change<Kind>[]
  /** Takes the whole truth and answers the difference. */
  replace: (objects: readonly Kind[]) => Change<Kind>[]
}>

/** By what objects are held; a namespace is no part of a name. */
export const storeKey = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`

/** Which incarnation and version of it an object is; opaque, and only ever compared for equality. */
export const storeVersion = ({ metadata }: Stored): string => `${metadata.uid}/${metadata.resourceVersion}`

/**
 * Objects by namespace and name, each change answered once: a repeated one is none, and an object that was made anew under
 * its name is the old one gone and the new one set. managedFields, often half of an object, are not held.
 * Errors: KubernetesError with reason TooManyObjects above `objectsMax`; nothing is changed then.
 */
export function createObjectStore<Kind extends Stored>(kind: string, objectsMax: number): ObjectStore<Kind> {
  let objects = new Map<string, Kind>()
  let listed: readonly Kind[] | undefined
  const changed = (changes: Change<Kind>[]) => {
    if (changes.length > 0) listed = undefined
    return changes
  }
  return {
    get: (key) => objects.get(storeKey(key)),
    all: () => {
      listed ??= [...objects.values()]
      return listed
    },
    size: () => objects.size,
    versions: () => new Map([...objects].map(([key, object]) => [key, storeVersion(object)])),
    set: (given) => {
      const key = storeKey(given.metadata)
      const held = objects.get(key)
      if (held === undefined && objects.size >= objectsMax) throw tooMany(kind, objectsMax)
      const object = withoutManagedFields(given)
      const changes = difference(held, object)
      if (changes.length > 0) objects.set(key, object)
      return changed(changes)
    },
    remove: (object) => {
      const key = storeKey(object.metadata)
      if (objects.get(key)?.metadata.uid !== object.metadata.uid) return [] // Of an earlier one of that name.
      objects.delete(key)
      return changed([{ kind: 'gone', object: withoutManagedFields(object) }])
    },
    replace: (given) => {
      if (given.length > objectsMax) throw tooMany(kind, objectsMax)
      const before = objects
      objects = new Map()
      const changes: Change<Kind>[] = []
      for (const each of given) {
        const object = withoutManagedFields(each)
        const key = storeKey(object.metadata)
        objects.set(key, object)
        changes.push(...difference(before.get(key), object))
      }
      const gone = [...before].filter(([key]) => !objects.has(key))
      listed = undefined
      return [...gone.map(([, object]): Change<Kind> => ({ kind: 'gone', object })), ...changes]
    },
  }
}

/** What a list or a watch would exceed; the answer says what to do about it. */
export const tooMany = (kind: string, objectsMax: number): KubernetesError =>
  new KubernetesError(
    `More than ${objectsMax} objects of kind ${kind}: more than this operator holds. Let it watch fewer namespaces.`,
    { status: 0, reason: 'TooManyObjects' },
  )

function difference<Kind extends Stored>(held: Kind | undefined, object: Kind): Change<Kind>[] {
  if (held === undefined) return [{ kind: 'set', object }]
  if (held.metadata.uid !== object.metadata.uid)
    return [
      { kind: 'gone', object: held },
      { kind: 'set', object },
    ]
  return held.metadata.resourceVersion === object.metadata.resourceVersion ? [] : [{ kind: 'set', object }]
}

function withoutManagedFields<Kind extends Stored>(object: Kind): Kind {
  if (!('managedFields' in object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
