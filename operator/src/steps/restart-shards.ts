import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { chooseRestart } from '../restarts/choose-restart.ts'
import type { Step } from '../step.ts'
import { lookAtShards } from './look-at-shards.ts'
import { restartShard } from './restart-shard.ts'

/** Brings the shards to the newest template, one pod after the other, each only when every predicate lets it go. */
export function restartShards(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'restart-shards',
    condition: 'Synced',
    run: async (cluster, facts) => {
      const looked = lookAtShards(context, cluster, facts)
      if (looked === undefined) return { kind: 'done' }
      const { state, newest } = looked
      const restart = chooseRestart(state)
      if (restart.kind === 'restart')
        await restartShard(context, cluster, restart.pod, { reason: 'TemplateChanged', newest })
      return { kind: 'done', facts: { restart } }
    },
  }
}
