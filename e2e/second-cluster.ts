import { QUICKSTART } from './install-truenow.ts'
import { type Manifest, quickstartObject } from './quickstart-object.ts'

export type DeletionPolicy = 'Retain' | 'Delete'
export type SecondCluster = Readonly<{
  /** Kubernetes namespace; it enforces Pod Security *restricted*. */
  namespace: string
  deletionPolicy?: DeletionPolicy
  /** Fields of the TrueNowCluster's spec instead of those of a cluster with one pod a role. */
  spec?: Readonly<Record<string, unknown>>
  tables: ReadonlyArray<
    Readonly<{ object: string; deletionPolicy?: DeletionPolicy; without?: readonly string[] }>
  >
}>

/**
 * Manifests of another TrueNowCluster on the quickstart's Kafka, PostgreSQL and Redis, with one pod a role unless `spec` says otherwise. It bears the
 * name of the first, and its tables may as well: only the Kubernetes namespace tells the two apart.
 */
export function secondCluster({
  namespace,
  deletionPolicy = 'Retain',
  spec = {},
  tables,
}: SecondCluster): string {
  const { cluster: name } = QUICKSTART
  const here = (object: Manifest): Manifest => ({ ...object, metadata: { ...object.metadata, namespace } })
  const cluster = here(quickstartObject('TrueNowCluster', name))
  cluster.spec = {
    ...cluster.spec,
    deletionPolicy,
    hotTier: { ...cluster.spec.hotTier, shards: 1, replicationFactor: 1, memoryPerShard: '512Mi' },
    ...Object.fromEntries(['gateway', 'ingester', 'query'].map((role) => [role, { replicas: 1 }])),
    ...spec,
  }
  const table = (one: SecondCluster['tables'][number]): Manifest => {
    const object = here(quickstartObject('Table', 'events'))
    object.metadata.name = one.object
    object.spec.deletionPolicy = one.deletionPolicy ?? 'Retain'
    for (const field of one.without ?? []) delete object.spec[field]
    return object
  }
  const space = quickstartObject('Namespace', QUICKSTART.namespace)
  space.metadata.name = namespace
  const secrets = [`${name}-postgres`, `${name}-redis`].map((secret) =>
    here(quickstartObject('Secret', secret)),
  )
  const items = [space, ...secrets, cluster, ...tables.map(table)]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}
