import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { chooseBroken } from '../restarts/choose-restart.ts'
import type { Step } from '../step.ts'
import { lookAtShards } from './look-at-shards.ts'
import { restartShard } from './restart-shard.ts'

/**
 * Fix forward: pods of a template that never got a pod up make room for the newest one without asking anybody, so also
 * where the control plane, or everything, is down because of it. One a pass.
 */
export function fixBrokenRevision(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'fix-broken-revision',
    condition: 'Synced',
    run: async (cluster, facts) => {
      const looked = lookAtShards(context, cluster, facts)
      if (looked === undefined) return { kind: 'done' }
      const { state, newest } = looked
      const pod = chooseBroken(state)
      if (pod !== undefined) await restartShard(context, cluster, pod, { reason: 'BrokenRevision', newest })
      return { kind: 'done' }
    },
  }
}
