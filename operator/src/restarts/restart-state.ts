import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { isReady, type Pod, type Workload } from '../workloads.ts'
import { type Placed, placedSlots } from './placed-slots.ts'

/** What the predicates know of the pod of one shard. */
export type ShardPod = Readonly<{
  name: string
  uid: string
  resourceVersion: string | undefined
  /** Ordinal in the StatefulSet. */
  shard: number
  revision: string
  /** It runs an older template than its set has now. */
  outdated: boolean
  ready: boolean
  terminating: boolean
  /** Waits for a node or an image, or starts again and again: nothing is lost by deleting it. */
  broken: boolean
  /** Zone, else node: what fails together. */
  domain: string
  /** The shard has reported since this very process was first seen. */
  reported: boolean
}>
export type RestartState = Readonly<{
  /** Shards that the set wants. */
  shards: number
  /** By shard, ascending; those beyond `shards` are on their way out and left out. */
  pods: readonly ShardPod[]
  /** As the control plane told it in this pass. Undefined: unknown, never empty, or nothing is outdated. */
  placed: Placed | undefined
}>

export const ZONE_LABEL = 'topology.kubernetes.io/zone'
const REVISION_LABEL = 'controller-revision-hash'
/** Reasons of a container that is on its way. */
const STARTING = ['ContainerCreating', 'PodInitializing']
/** Restarts after which a container that is not ready is looping, also in the seconds in which it runs. */
const LOOPING_RESTARTS_MIN = 2

/**
 * The pods of a set of shards, as the predicates see them. `deleted`: uids that this process deleted and an older cache still
 * shows. `reported`: has the shard spoken since that pod was first seen. Pure.
 */
export function restartState(
  set: Workload,
  pods: readonly Pod[],
  placement: GetPlacementResponse | undefined,
  known: Readonly<{ deleted: ReadonlySet<string>; reported: (pod: Pod, shard: number) => boolean }>,
): RestartState {
  const { name, namespace } = set.metadata
  const shards = set.spec.replicas ?? 1
  const newest = set.status?.updateRevision
  const found = pods.flatMap((pod): ShardPod[] => {
    const { metadata, spec, status } = pod
    const shard = ordinalOf(name, metadata.name)
    if (metadata.namespace !== namespace || shard === undefined || shard >= shards) return []
    const revision = metadata.labels?.[REVISION_LABEL] ?? ''
    return [
      {
        name: metadata.name,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
        shard,
        revision,
        outdated: newest !== undefined && revision !== newest,
        ready: isReady(pod),
        terminating: metadata.deletionTimestamp !== undefined || known.deleted.has(metadata.uid),
        broken: !isReady(pod) && (status?.phase === 'Pending' || isLooping(pod)),
        domain: metadata.labels?.[ZONE_LABEL] ?? spec?.nodeName ?? '',
        reported: known.reported(pod, shard),
      },
    ]
  })
  // Thousands of slots are not looked at where nothing is to restart.
  const needed = found.some(({ outdated }) => outdated)
  const placed = placement === undefined || !needed ? undefined : placedSlots(placement)
  return { shards, pods: found.toSorted((left, right) => left.shard - right.shard), placed }
}

function ordinalOf(set: string, pod: string): number | undefined {
  if (!pod.startsWith(`${set}-`)) return undefined
  const ordinal = pod.slice(set.length + 1)
  return /^\d+$/.test(ordinal) ? Number(ordinal) : undefined
}

const isLooping = ({ status }: Pod): boolean =>
  (status?.containerStatuses ?? []).some(({ state, restartCount = 0 }) => {
    const reason = state?.waiting?.reason
    return (reason !== undefined && !STARTING.includes(reason)) || restartCount >= LOOPING_RESTARTS_MIN
  })
