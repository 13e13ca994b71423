import assert from 'node:assert/strict'
import { APPROVE_ANNOTATION, RENEW_AUTHORITY_ANNOTATION, RESTART_ANNOTATION } from '../../src/api/names.ts'
import type { TrueNowClusterSpec } from '../../src/api/v1alpha1/truenow-cluster.ts'
import { decodeAuthorities } from '../../src/certificates/authorities.ts'
import {
  CLUSTERS,
  childResource,
  PODS,
  REBALANCES,
  SECRETS,
  TABLES,
  VOLUME_CLAIMS,
} from '../../src/kubernetes/resources.ts'
import { clusterSpec, tableSpec } from '../scene.ts'
import type { CrashWorld } from './crash-world.ts'
import type { Json } from './real-api-server.ts'
import { untilOver } from './until-over.ts'

/** One protocol: what stands before, what a person then asks for, and when that is done. */
export type CrashStory = Readonly<{
  name: string
  /** Comes to its end when all of it stands. */
  given: (world: CrashWorld) => Promise<void>
  begin: (world: CrashWorld) => Promise<void>
  /** What a person does meanwhile, looked at again and again. */
  meanwhile?: (world: CrashWorld) => Promise<void>
  /** Drawn by `make test`; the others take longer, or are walked by `make prove-crash-points` alone. */
  drawn?: true
  /** Undefined once it is done, else why not. */
  isOver: (world: CrashWorld) => Promise<string | undefined>
}>
type Seen = { metadata: { generation: number; labels?: Record<string, string> }; status?: { observedGeneration?: number; inProgressOperations?: unknown; state?: string; moveCount?: number; conditions?: ReadonlyArray<{ type: string; status: string; reason: string; message: string; observedGeneration?: number }> } } // biome-ignore format: one line

const CLUSTER = 'demo'
const ONE_OF_EACH = {
  gateway: { replicas: 1 },
  ingester: { replicas: 1 },
  query: { replicas: 1, cacheTtlSeconds: 60 },
}
const hotTier = (more: object = {}) => ({ ...clusterSpec().hotTier, ...more })
const smallTable = (more: object = {}) => {
  const { name: _, namespace: __, ...spec } = tableSpec({ slots: 2, ...more }) as Json
  return spec
}
const createCluster = (world: CrashWorld, more: Partial<TrueNowClusterSpec> = {}) =>
  world.create(CLUSTERS, CLUSTER, clusterSpec({ ...ONE_OF_EACH, image: 'truenow:1', ...more }))
const createTable = (world: CrashWorld, name: string, more: object = {}) =>
  world.create(TABLES, name, smallTable(more))
const patchCluster = (world: CrashWorld, spec: Json) => world.patch(CLUSTERS, CLUSTER, { spec })
const annotateCluster = (world: CrashWorld, annotations: Record<string, string>) =>
  world.patch(CLUSTERS, CLUSTER, { metadata: { annotations } })

const seen = async (world: CrashWorld, ...at: Parameters<CrashWorld['get']>) =>
  (await world.get(...at)) as Seen | undefined
const condition = (object: Seen | undefined, type: string) =>
  object?.status?.conditions?.find((one) => one.type === type)

/** Every object that there is of our kinds says that it is ready, of the spec as it is now. */
async function whyNotReady(world: CrashWorld, ...tables: readonly string[]): Promise<string | undefined> {
  const objects = [[CLUSTERS, CLUSTER] as const, ...tables.map((name) => [TABLES, name] as const)]
  for (const [resource, name] of objects) {
    const object = await seen(world, resource, name)
    const ready = condition(object, 'Ready')
    if (ready?.status !== 'True') return `${name} is not ready: ${ready?.reason}: ${ready?.message}`
    if (object?.status?.observedGeneration !== object?.metadata.generation)
      return `${name} was not looked at yet`
  }
  return undefined
}

const setIs = async (world: CrashWorld, replicas: number): Promise<string | undefined> => {
  const set = (await world.get(SETS, `${CLUSTER}-hot-tier`)) as { spec: { replicas: number }; status: { replicas: number } } | undefined // biome-ignore format: one line
  return set?.spec.replicas === replicas && set.status.replicas === replicas
    ? undefined
    : `the set has ${set?.spec.replicas} shards`
}
/** By whoever runs the cluster: the operator makes autoscalers only for roles that hold nothing. */
const SHARDS_BY_MEMORY = {
  scaleTargetRef: { apiVersion: CLUSTERS.apiVersion, kind: CLUSTERS.kind, name: CLUSTER },
  minReplicas: 2,
  maxReplicas: 4,
  metrics: [
    {
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 70 } },
    },
  ],
}
const DEPLOYMENTS = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' }
/** It must stand nowhere else in a pod: "now" is in every image of ours. */
const RESTART = 'restart-1'
/** What was seen since the protocol of a world began. */
const zonesAwayOf = new WeakMap<CrashWorld, () => number>()
const SETS = { apiVersion: 'apps/v1', kind: 'StatefulSet', plural: 'statefulsets' }

/** Every pod of a shard has it in its template: an image, or what a restart was asked by. */
async function shardsRun(world: CrashWorld, wanted: string, count = 2): Promise<string | undefined> {
  const set = (await world.get(SETS, `${CLUSTER}-hot-tier`)) as
    | { status?: { updateRevision?: string } }
    | undefined
  for (let shard = 0; shard < count; shard++) {
    const pod = (await world.get(PODS, `${CLUSTER}-hot-tier-${shard}`)) as Seen | undefined
    const revision = pod?.metadata.labels?.['controller-revision-hash']
    if (revision !== set?.status?.updateRevision) return `shard ${shard} is of an older revision`
    if (!JSON.stringify(pod).includes(wanted)) return `shard ${shard} runs without ${wanted}`
  }
  return undefined
}

async function whyNotSecured(world: CrashWorld): Promise<string | undefined> {
  const secured = condition(await seen(world, CLUSTERS, CLUSTER), 'Secured')
  return secured?.status === 'True' ? undefined : `not secured: ${secured?.message}`
}

async function replicasAre(world: CrashWorld, count: number): Promise<string | undefined> {
  const slots = world.catalog.parts.follower.current()?.tables.flatMap((table) => table.slots) ?? []
  const wrong = slots.find(({ replicas }) => replicas.length !== count)
  if (wrong !== undefined) return `slot ${wrong.slot} has ${wrong.replicas.length} replicas`
  return whyNotReady(world, 'kept')
}

async function create(
  world: CrashWorld,
  more: Partial<TrueNowClusterSpec> = {},
  table: object = {},
): Promise<void> {
  await createCluster(world, more)
  await createTable(world, 'kept', table)
}
const standing =
  (more: Partial<TrueNowClusterSpec> = {}, table: object = {}) =>
  async (world: CrashWorld) => {
    await create(world, more, table)
    await untilOver(() => whyNotReady(world, 'kept'))
  }
const shards = (count: number, replicationFactor = 2) =>
  standing({ hotTier: hotTier({ shards: count, replicationFactor }) }, { slots: 4 })

export const CRASH_STORIES: readonly CrashStory[] = [
  {
    name: 'create a cluster and a table',
    drawn: true,
    given: async () => {},
    begin: create,
    isOver: (world) => whyNotReady(world, 'kept'),
  },
  {
    name: 'create a table',
    drawn: true,
    given: standing(),
    begin: async (world) => void (await createTable(world, 'events', { deletionPolicy: 'Delete' })),
    isOver: (world) => whyNotReady(world, 'kept', 'events'),
  },
  {
    name: 'scale out',
    drawn: true,
    given: shards(2),
    begin: async (world) => void (await patchCluster(world, { hotTier: { shards: 3 } })),
    isOver: async (world) => (await setIs(world, 3)) ?? whyNotReady(world, 'kept'),
  },
  {
    name: 'scale in',
    given: shards(3),
    begin: async (world) => void (await patchCluster(world, { hotTier: { shards: 2 } })),
    isOver: async (world) => {
      const cluster = await seen(world, CLUSTERS, CLUSTER)
      if (cluster?.status?.inProgressOperations !== undefined) return 'it goes on'
      if ((await world.get(VOLUME_CLAIMS, `data-${CLUSTER}-hot-tier-2`)) !== undefined)
        return 'a volume is left'
      return (await setIs(world, 2)) ?? whyNotReady(world, 'kept')
    },
  },
  {
    name: 'move slots by a Rebalance',
    given: async (world) => {
      await shards(2)(world)
      await patchCluster(world, { hotTier: { shards: 3 } })
      await untilOver(async () => (await setIs(world, 3)) ?? whyNotReady(world, 'kept'))
    },
    begin: async (world) =>
      void (await world.create(REBALANCES, 'even', { clusterRef: { name: CLUSTER }, mode: 'Full' })),
    meanwhile: async (world) => {
      const rebalance = await seen(world, REBALANCES, 'even')
      if (rebalance?.status?.state === 'ProposalReady')
        await world.patch(REBALANCES, 'even', { metadata: { annotations: { [APPROVE_ANNOTATION]: 'true' } } })
    },
    isOver: async (world) => {
      const rebalance = await seen(world, REBALANCES, 'even')
      return rebalance?.status?.state === 'Ready'
        ? whyNotReady(world, 'kept')
        : `it is ${rebalance?.status?.state}`
    },
  },
  {
    name: 'restart shards',
    given: shards(2),
    begin: async (world) => void (await annotateCluster(world, { [RESTART_ANNOTATION]: RESTART })),
    isOver: async (world) => (await shardsRun(world, RESTART)) ?? whyNotReady(world, 'kept'),
  },
  {
    name: 'restart shards in three zones',
    given: async (world) => {
      await shards(3)(world)
      zonesAwayOf.set(world, world.watchZones())
    },
    begin: async (world) => void (await annotateCluster(world, { [RESTART_ANNOTATION]: RESTART })),
    isOver: async (world) => {
      const zonesAway = zonesAwayOf.get(world)?.() ?? 0
      assert.ok(zonesAway <= 1, `shards were away in ${zonesAway} zones at once`)
      const why = (await shardsRun(world, RESTART, 3)) ?? (await whyNotReady(world, 'kept'))
      if (why === undefined) assert.equal(zonesAway, 1, 'no shard was seen away')
      return why
    },
  },
  {
    name: 'autoscalers raise gateways and shards',
    given: async (world) => {
      const gateway = { replicas: 1, autoscaling: { maxReplicas: 4, cpuPercent: 70 } }
      await standing({ gateway, hotTier: hotTier() })(world)
      await world.create(childResource('HorizontalPodAutoscaler'), 'shards', SHARDS_BY_MEMORY)
    },
    // For three of each: at 70 % they would use 42m of CPU and 537 Mi of memory.
    begin: async (world) => {
      world.load('gateway', { cpuMilli: 40, memoryMi: 0 })
      world.load('hot-tier', { cpuMilli: 0, memoryMi: 500 })
    },
    isOver: async (world) => {
      const gateways = (await world.get(DEPLOYMENTS, `${CLUSTER}-gateway`)) as { status?: { readyReplicas?: number } } | undefined // biome-ignore format: one line
      if (gateways?.status?.readyReplicas !== 3)
        return `${gateways?.status?.readyReplicas} gateways are ready`
      return (await setIs(world, 3)) ?? whyNotReady(world, 'kept')
    },
  },
  {
    name: 'upgrade the image',
    given: shards(2),
    begin: async (world) => void (await patchCluster(world, { image: 'truenow:2' })),
    isOver: async (world) => (await shardsRun(world, 'truenow:2')) ?? whyNotReady(world, 'kept'),
  },
  {
    name: 'renew the authority of certificates',
    given: async (world) => {
      await standing({ tls: { mode: 'Require' } })(world)
      await untilOver(() => whyNotSecured(world))
    },
    begin: async (world) => void (await annotateCluster(world, { [RENEW_AUTHORITY_ANNOTATION]: 'now' })),
    isOver: async (world) => {
      const { data } = (await world.get(SECRETS, `${CLUSTER}-ca`)) as { data: Record<string, string> }
      const authorities = decodeAuthorities(data)
      if (
        authorities?.asked.authority !== 'now' ||
        authorities.next !== undefined ||
        authorities.previous !== undefined
      )
        return 'there is another authority'
      return (await whyNotSecured(world)) ?? whyNotReady(world, 'kept')
    },
  },
  {
    name: 'one more replica',
    given: shards(3, 2),
    begin: async (world) => void (await patchCluster(world, { hotTier: { replicationFactor: 3 } })),
    isOver: (world) => replicasAre(world, 3),
  },
  {
    name: 'one replica fewer',
    given: shards(3, 3),
    begin: async (world) => void (await patchCluster(world, { hotTier: { replicationFactor: 2 } })),
    isOver: (world) => replicasAre(world, 2),
  },
  {
    name: 'grow volumes',
    given: shards(2),
    begin: async (world) => void (await patchCluster(world, { hotTier: { storage: { size: '3Gi' } } })),
    isOver: async (world) => {
      const grown = condition(await seen(world, CLUSTERS, CLUSTER), 'VolumesGrown')
      return grown?.reason === 'AsSpecified' ? whyNotReady(world, 'kept') : `volumes: ${grown?.reason}`
    },
  },
  {
    name: 'delete a table',
    given: async (world) => {
      await standing()(world)
      await createTable(world, 'events', { deletionPolicy: 'Delete' })
      await untilOver(() => whyNotReady(world, 'kept', 'events'))
    },
    begin: async (world) => void (await world.delete(TABLES, 'events')),
    isOver: async (world) =>
      (await world.get(TABLES, 'events')) === undefined ? whyNotReady(world, 'kept') : 'it is still there',
  },
  {
    name: 'delete a cluster',
    given: standing({ deletionPolicy: 'Delete' }, { deletionPolicy: 'Delete' }),
    begin: async (world) => {
      await world.delete(CLUSTERS, CLUSTER)
      await world.delete(TABLES, 'kept')
    },
    isOver: async (world) => {
      if ((await world.get(CLUSTERS, CLUSTER)) !== undefined) return 'the cluster is still there'
      const left = (await world.endState()).filter((line) => /^(TrueNow|Table|Pod |Persistent|StatefulSet|Deployment|Secret)/.test(line)) // biome-ignore format: one line
      return left.length === 0 ? undefined : `${left.length} objects are left`
    },
  },
]
