import { CLUSTER_LABEL } from './api/names.ts'
import type { Rebalance } from './api/v1alpha1/rebalance.ts'
import type { Table } from './api/v1alpha1/table.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ObjectKey, Resource, Stored } from './kubernetes/kubernetes-port.ts'
import type { Change } from './kubernetes/object-store.ts'
import type { Reflector } from './kubernetes/reflector.ts'
import { CHILD_RESOURCES, CLUSTERS, PODS, REBALANCES, TABLES } from './kubernetes/resources.ts'
import type { Seen } from './operator-context.ts'
import { createOptionalKinds, type OptionalKinds } from './optional-kinds.ts'

/** Starts one reflector: a kind in one namespace, or everywhere where that is undefined. */
export type StartReflector = <Kind extends Stored>(
  resource: Resource,
  at: Readonly<{ namespace?: string; labelSelector?: string }>,
  onChange: (change: Change<Kind>) => void,
) => Reflector<Kind>

export type WatchedObjects = Readonly<{
  clusters: Seen<TrueNowCluster>
  tables: Seen<Table>
  rebalances: Seen<Rebalance>
  child: <Kind extends Stored>(kind: string, key: ObjectKey) => Kind | undefined
  childrenOfKind: <Kind extends Stored>(kind: string) => readonly Kind[]
  /** Kinds that are followed only once they are asked for; they hold up neither `hasSynced` nor `ageMs`. */
  optionalKinds: OptionalKinds
  hasSynced: () => Promise<void>
  /** ms since the quietest of all watches last heard anything. */
  ageMs: () => number
  close: () => Promise<void>
}>

/** Caches of everything the operator looks at. `namespaces` empty = the whole Kubernetes cluster. */
export function watchObjects(
  start: StartReflector,
  namespaces: readonly string[],
  onChange: (kind: string, change: Change<Stored>) => void,
  optional: Omit<Parameters<typeof createOptionalKinds>[0], 'start'>,
): WatchedObjects {
  const places = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }))
  const watch = <Kind extends Stored>(resource: Resource, labelSelector?: string) =>
    places.map((place) =>
      start<Kind>(
        resource,
        { ...place, ...(labelSelector === undefined ? {} : { labelSelector }) },
        (change) => onChange(resource.kind, change),
      ),
    )
  const clusters = watch<TrueNowCluster>(CLUSTERS)
  const tables = watch<Table>(TABLES)
  const rebalances = watch<Rebalance>(REBALANCES)
  const children = new Map(
    [...CHILD_RESOURCES, PODS].map((resource) => [resource.kind, watch<Stored>(resource, CLUSTER_LABEL)]),
  )
  const all = [...clusters, ...tables, ...rebalances, ...[...children.values()].flat()]
  const optionalKinds = createOptionalKinds({
    ...optional,
    start: (resource) => watch<Stored>(resource, CLUSTER_LABEL),
  })
  const childrenOf = (kind: string) => children.get(kind) ?? optionalKinds.reflectors(kind)
  return {
    clusters: seenBy(clusters),
    tables: seenBy(tables),
    rebalances: seenBy(rebalances),
    child: <Kind extends Stored>(kind: string, key: ObjectKey) =>
      seenBy(childrenOf(kind)).get(key) as Kind | undefined,
    childrenOfKind: <Kind extends Stored>(kind: string) => seenBy(childrenOf(kind)).all() as readonly Kind[],
    optionalKinds,
    hasSynced: async () => {
      await Promise.all(all.map((one) => one.hasSynced()))
    },
    ageMs: () => Math.max(...all.map((one) => one.ageMs())),
    close: async () => {
      await Promise.all([...all, optionalKinds].map((one) => one.close()))
    },
  }
}

/** Several reflectors of one kind, one a namespace, as one. */
function seenBy<Kind extends Stored>(reflectors: ReadonlyArray<Reflector<Kind>>): Seen<Kind> {
  return {
    get: (key) => {
      for (const reflector of reflectors) {
        const found = reflector.get(key)
        if (found !== undefined) return found
      }
      return undefined
    },
    all: () => reflectors.flatMap((reflector) => reflector.all()),
  }
}
