import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { PODS, VOLUME_CLAIMS } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { podOfShard } from './pod-of-shard.ts'
import { labelSelectorOf, selectorLabels } from './resources/child-metadata.ts'

/**
 * What is left of shards whose set was lowered: the API server itself must list no pod of theirs before their volumes are
 * deleted, by uid, and no volume before the catalog forgets them. Nothing is touched that the catalog still places anything
 * on. Answers what each waits for. Errors: KubernetesError, TrueNowError.
 */
export async function removeShards(
  { kubernetes, operands, leaderEpochs }: OperatorContext,
  cluster: TrueNowCluster,
  placement: NonNullable<ClusterFacts['placement']>,
  going: readonly number[],
): Promise<NonNullable<ClusterFacts['downscale']>> {
  if (going.length === 0) return []
  const { namespace } = cluster.metadata
  const at = { namespace, labelSelector: labelSelectorOf(selectorLabels(cluster, 'hot-tier')) }
  const pods = (await kubernetes.list(PODS, at)).items
  const claims = (await kubernetes.list(VOLUME_CLAIMS, at)).items
  const waits: NonNullable<ClusterFacts['downscale']> = []
  const gone: number[] = []
  for (const shard of going) {
    const pod = podOfShard(cluster, shard)
    const wait = (predicate: string, message: string) => waits.push({ pod, predicate, message })
    const why = whyStillNeeded(placement, shard)
    const claim = claims.find(({ metadata }) => metadata.name === `data-${pod}`)
    if (why !== undefined) wait('shard_is_empty', why)
    else if (pods.some(({ metadata }) => metadata.name === pod))
      wait('pod_is_gone', 'Its pod is still there.')
    else if (claim === undefined) gone.push(shard)
    else {
      wait('volume_is_gone', `The volume claim ${claim.metadata.name} is being deleted.`)
      if (claim.metadata.deletionTimestamp !== undefined) continue
      await kubernetes.remove(VOLUME_CLAIMS, { namespace, name: claim.metadata.name }, claim.metadata.uid)
    }
  }
  const known = gone.filter((shard) => placement.catalog?.shards.some((one) => one.shard === shard))
  if (known.length > 0)
    await leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
      operands.controlPlane(cluster.metadata).retireShards({ leaderEpoch, shards: known }),
    )
  return waits
}

/** Its own word was had before its pod went, and nobody is left to repeat it; what the catalog says must hold still. */
function whyStillNeeded(
  { catalog, openMoves }: NonNullable<ClusterFacts['placement']>,
  shard: number,
): string | undefined {
  if (catalog === undefined || shard < catalog.shardCount) return `shard ${shard} may be given replicas`
  const held = catalog.tables.some(({ slots }) =>
    slots.some(({ replicas }) => replicas.some((one) => one.shard === shard)),
  )
  if (held) return `shard ${shard} holds a replica by the catalog`
  return openMoves.some(({ from, to }) => from === shard || to === shard)
    ? `a move of shard ${shard} is not over`
    : undefined
}
