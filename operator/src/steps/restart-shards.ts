import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { chooseRestart } from '../restarts/choose-restart.ts'
import { noteReports } from '../restarts/restart-memory.ts'
import { restartState } from '../restarts/restart-state.ts'
import type { Step } from '../step.ts'
import { currentShards, memoryOf, restartShard } from './restart-shard.ts'

/** Brings the shards to the newest template, one pod after the other, each only when every predicate lets it go. */
export function restartShards(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'restart-shards',
    condition: 'Synced',
    run: async (cluster, { paused, placement, unseen }) => {
      const shards = paused === true ? undefined : currentShards(context, cluster, unseen)
      if (shards === undefined) return { kind: 'done' }
      const { set, pods } = shards
      const memory = memoryOf(context, cluster)
      const reported = noteReports(memory, pods, placement)
      const state = restartState(set, pods, placement, { deleted: memory.deleted, reported })
      const restart = chooseRestart(state)
      if (restart.kind === 'restart') {
        const newest = set.status?.updateRevision
        await restartShard(context, cluster, restart.pod, { reason: 'TemplateChanged', newest })
      }
      return { kind: 'done', facts: { restart } }
    },
  }
}
