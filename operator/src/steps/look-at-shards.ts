import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { noteReports } from '../restarts/restart-memory.ts'
import { type RestartState, restartState } from '../restarts/restart-state.ts'
import type { Pod, Workload } from '../workloads.ts'
import { memoryOf } from './restart-shard.ts'

/**
 * How the shards stand for a restart, by what is known of the placement, and the newest revision of their template; undefined
 * while nothing may restart, or while what our cache shows of the set may be of before.
 */
export function lookAtShards(
  context: OperatorContext,
  cluster: TrueNowCluster,
  { paused, unseen, placement }: Pick<ClusterFacts, 'paused' | 'unseen' | 'placement'>,
): Readonly<{ state: RestartState; newest: string | undefined }> | undefined {
  const shards = paused === true ? undefined : currentShards(context, cluster, unseen)
  if (shards === undefined) return undefined
  const { set, pods } = shards
  const memory = memoryOf(context, cluster)
  const reported = noteReports(memory, pods, placement)
  const state = restartState(set, pods, placement, { deleted: memory.deleted, reported })
  return { state, newest: set.status?.updateRevision }
}

/** The set of shards and all pods of its cluster; undefined while what our cache shows of the set may be of before. */
function currentShards(
  context: OperatorContext,
  { metadata }: TrueNowCluster,
  unseen: readonly string[] | undefined,
): Readonly<{ set: Workload; pods: readonly Pod[] }> | undefined {
  const { namespace } = metadata
  const name = `${metadata.name}-hot-tier`
  const set = context.child<Workload>('StatefulSet', { namespace, name })
  if (set === undefined || unseen === undefined || unseen.includes(`StatefulSet ${name}`)) return undefined
  if (set.status?.observedGeneration !== set.metadata.generation) return undefined
  const pods = podsOfCluster(context, metadata)
  return { set, pods: pods.filter((pod) => pod.metadata.name.startsWith(`${name}-`)) }
}
