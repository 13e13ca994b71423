import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { drainedOf } from '../drained-of.ts'
import type { KubernetesPort, ObjectKey } from '../kubernetes/kubernetes-port.ts'
import { CLUSTERS } from '../kubernetes/resources.ts'

export type DrainVerb = 'drain' | 'uncordon'
/** `done: false`: nothing was asked for, and `told` says why. */
export type Drained = Readonly<{ done: boolean; told: string }>

/** As StatefulSets name their pods. */
const POD = /^(.+)-hot-tier-([0-9]{1,3})$/

/**
 * Puts a shard, by the name of its pod, on the list of those that shall hold no slot, or takes it off. What the API server
 * would refuse is not asked for; whether the others have room the operator looks first, and says in status. Needs `get` and
 * `patch` on truenowclusters. Errors: KubernetesError; Conflict where somebody else changed the cluster meanwhile.
 */
export async function drainShard(
  port: KubernetesPort,
  verb: DrainVerb,
  { namespace, name }: ObjectKey,
): Promise<Drained> {
  const [, clusterName = '', ordinal = ''] = POD.exec(name) ?? []
  if (clusterName === '')
    return { done: false, told: `'${name}' is no shard; name its pod, such as demo-hot-tier-1.` }
  const key = { namespace, name: clusterName }
  const cluster = await port.get<TrueNowCluster>(CLUSTERS, key)
  if (cluster === undefined)
    return { done: false, told: `There is no TrueNowCluster ${clusterName} in ${namespace}.` }
  const shard = Number(ordinal)
  const { hotTier } = cluster.spec
  const before = drainedOf(hotTier)
  const why = whyNot(verb, shard, hotTier, before)
  if (why !== undefined) return { done: false, told: `${namespace}/${name}: ${why}` }
  const drain = verb === 'drain' ? [...before, shard] : before.filter((one) => one !== shard)
  const { resourceVersion } = cluster.metadata
  // Of the version that was read: two people who drain at once must not take the other's back.
  const metadata = resourceVersion === undefined ? {} : { metadata: { resourceVersion } }
  await port.mergePatch(CLUSTERS, key, {
    ...metadata,
    spec: { hotTier: { drain: drain.toSorted((a, b) => a - b) } },
  })
  const watch = `kubectl truenow -n ${namespace} status ${clusterName}`
  return {
    done: true,
    told:
      verb === 'drain'
        ? `${namespace}/${name}: its slots move to other shards, if these have room, and none comes back; watch: ${watch}\n  → kubectl truenow -n ${namespace} uncordon ${name}`
        : `${namespace}/${name} may be given slots again. A Rebalance gives it its share: kubectl truenow -n ${namespace} rebalance plan ${clusterName}`,
  }
}

function whyNot(
  verb: DrainVerb,
  shard: number,
  { shards, replicationFactor }: TrueNowCluster['spec']['hotTier'],
  before: readonly number[],
): string | undefined {
  if (shard >= shards) return `its cluster has ${shards} shards, from 0 on.`
  const is = before.includes(shard)
  if (verb === 'uncordon') return is ? undefined : 'it is not drained.'
  if (is) return 'it is drained already.'
  if (replicationFactor > shards - before.length - 1)
    return `${shards - before.length - 1} shards would be left, and replicationFactor is ${replicationFactor}; raise hotTier.shards or lower it.`
  return undefined
}
