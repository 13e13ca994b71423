import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { chooseBroken } from '../restarts/choose-restart.ts'
import { noteReports } from '../restarts/restart-memory.ts'
import { restartState } from '../restarts/restart-state.ts'
import type { Step } from '../step.ts'
import { currentShards, memoryOf, restartShard } from './restart-shard.ts'

/**
 * Fix forward: pods of a template that never got a pod up make room for the newest one without asking anybody, so also
 * where the control plane, or everything, is down because of it. One a pass.
 */
export function fixBrokenRevision(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'fix-broken-revision',
    condition: 'Synced',
    run: async (cluster, { paused, unseen }) => {
      const shards = paused === true ? undefined : currentShards(context, cluster, unseen)
      if (shards === undefined) return { kind: 'done' }
      const { set, pods } = shards
      const memory = memoryOf(context, cluster)
      const reported = noteReports(memory, pods, undefined)
      const state = restartState(set, pods, undefined, { deleted: memory.deleted, reported })
      const pod = chooseBroken(state)
      const newest = set.status?.updateRevision
      if (pod !== undefined) await restartShard(context, cluster, pod, { reason: 'BrokenRevision', newest })
      return { kind: 'done' }
    },
  }
}
