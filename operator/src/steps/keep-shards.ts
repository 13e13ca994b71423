import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import type { Step } from '../step.ts'
import type { Workload } from '../workloads.ts'

/**
 * How many shards run for now: those that the spec asks for, and those beyond that run still, until `scale-in` has proved
 * that they hold nothing. What it lowered counts before our cache shows it, or the set would be raised once more.
 */
export function keepShards(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  const { child, lowered } = context
  return {
    name: 'keep-shards',
    condition: 'Synced',
    run: async (cluster) => {
      const { name, namespace, uid } = cluster.metadata
      const { shards } = cluster.spec.hotTier
      const set = child<Workload>('StatefulSet', { namespace, name: `${name}-hot-tier` })
      const live = set?.spec.replicas ?? podsWithoutSet(context, cluster)
      const told = lowered.get(uid)
      // Raised again, or seen: from here on the set itself says how many there are.
      if (told !== undefined && (shards > told || live <= told)) lowered.delete(uid)
      return {
        kind: 'done',
        facts: { shardPods: Math.max(shards, Math.min(live, lowered.get(uid) ?? live)) },
      }
    },
  }
}

/**
 * Up to the last pod that runs on: a set that is made anew (larger volumes, or somebody deleted it without its pods) takes
 * them over, and would end at once those beyond its number, whatever they hold.
 */
function podsWithoutSet(context: OperatorContext, { metadata }: TrueNowCluster): number {
  const prefix = `${metadata.name}-hot-tier-`
  const ordinals = podsOfCluster(context, metadata)
    .filter((pod) => pod.metadata.name.startsWith(prefix) && pod.metadata.deletionTimestamp === undefined)
    .map((pod) => Number(pod.metadata.name.slice(prefix.length)))
  return 1 + Math.max(-1, ...ordinals.filter(Number.isInteger))
}
