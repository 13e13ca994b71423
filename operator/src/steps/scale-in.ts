import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { clusterDeclaration } from '../cluster-declaration.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { type Judgement, NOTHING_REASON } from '../conditions/judgement.ts'
import { drainedOf } from '../drained-of.ts'
import { childResource } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podOfShard } from '../pod-of-shard.ts'
import { proveEmpty } from '../prove-empty.ts'
import { removeShards } from '../remove-shards.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { Step } from '../step.ts'
import { whatRestarts } from '../what-restarts.ts'
import { whyNotScaleIn } from '../why-not-scale-in.ts'
import type { Workload } from '../workloads.ts'

export type Downscale = NonNullable<ClusterFacts['downscale']>
type Placement = NonNullable<ClusterFacts['placement']>
type Pass = Readonly<{
  context: OperatorContext
  cluster: TrueNowCluster
  facts: ClusterFacts
  placement: Placement
  going: readonly number[]
}>

/**
 * Takes away the shards that the spec asks for no more, one proof after the other (docs/design/0008): whether the others have
 * room, then the mark, after which moves empty them; then those that are empty, from the highest ordinal down, lose their pods
 * and at last their volumes. All is read anew in each pass; a spec that was flipped back simply leaves nothing to do.
 */
export function scaleIn(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'scale-in',
    condition: 'Synced',
    run: async (cluster, facts) => {
      const { placement, paused, unseen = [] } = facts
      if (placement?.catalog === undefined || placement.catalog.shardCount === 0) return { kind: 'done' }
      const going = goingShards(cluster, facts, placement)
      if (going.length === 0) return { kind: 'done', facts: { scalingDown: NOTHING } }
      const pass = { context, cluster, facts, placement, going }
      const all = (predicate: string, message: string) =>
        going.map((shard) => ({ pod: podOfShard(cluster, shard), predicate, message }))
      if (paused === true) return told(all('operator_is_running', 'spec.paused is true.'), 'Paused')
      // What was applied in this very pass must be seen first: counts of before would be judged.
      if (unseen.some((one) => one === `StatefulSet ${cluster.metadata.name}-hot-tier`))
        return told(all('set_is_seen', 'The StatefulSet was just applied.'), 'Applying')
      const restarting = whatRestarts(context, cluster, facts)
      if (restarting !== undefined && placement.catalog.shardCount > cluster.spec.hotTier.shards)
        return told(all('no_shard_restarts', restarting), 'Restarting')
      try {
        if (placement.catalog.shardCount <= cluster.spec.hotTier.shards)
          return told(await lower(pass, restarting), 'Emptying')
        const problem = whyNotScaleIn(placement, goalOf(pass))
        if (problem !== undefined) return refused(all('capacity_for_the_rest', problem.message), problem)
        await context.leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
          context.operands
            .controlPlane(cluster.metadata)
            .putCluster({ ...clusterDeclaration(cluster), shrink: true, leaderEpoch }),
        )
        return told(all('shard_is_empty', 'Just marked: its slots move to the shards that stay.'), 'Emptying')
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        return told(all('control_plane_answers', error.message), 'Emptying')
      }
    },
  }
}

const NOTHING: Judgement = {
  type: 'ScalingDown',
  status: 'False',
  reason: NOTHING_REASON,
  message: 'No shard is to be taken away.',
}

/** Shards beyond those of the spec of which anything is left: a pod, an entry of the catalog, or work that status tells of. */
function goingShards(
  cluster: TrueNowCluster,
  { shardPods = 0 }: ClusterFacts,
  { catalog }: Placement,
): number[] {
  const { shards } = cluster.spec.hotTier
  const begun = cluster.status?.inProgressOperations?.downscale ?? []
  const ordinals = [
    ...Array.from({ length: shardPods }, (_, shard) => shard),
    ...(catalog?.shards ?? []).map(({ shard }) => shard),
    ...begun.map(({ pod }) => Number(pod.split('-').at(-1))),
  ]
  return [...new Set(ordinals)].filter((shard) => shard >= shards).toSorted((a, b) => a - b)
}

const goalOf = ({ context, cluster }: Pass) => ({
  shardCount: cluster.spec.hotTier.shards,
  replicationFactor: cluster.spec.hotTier.replicationFactor,
  drained: new Set(drainedOf(cluster.spec.hotTier)),
  lost: context.silence.lost(cluster.metadata.uid),
})

const told = (downscale: Downscale, reason: string) => {
  if (downscale.length === 0) return { kind: 'done', facts: { scalingDown: NOTHING } } as const
  const [first] = downscale.toReversed()
  const message = `${downscale.length} shards are to go. ${first?.pod}: ${first?.message}`
  const scalingDown = { type: 'ScalingDown', status: 'True', reason, message } as const
  return { kind: 'done', facts: { downscale, scalingDown } } as const
}

const refused = (
  downscale: Downscale,
  { reason, message }: Readonly<{ reason: string; message: string }>,
) => {
  const scalingDown = { type: 'ScalingDown', status: 'False', reason, message } as const
  return { kind: 'done', facts: { downscale, scalingDown } } as const
}

/** Lowers the set by the contiguous run of empty shards at its end, then takes away what is left of those without a pod. */
async function lower(pass: Pass, restarting: string | undefined): Promise<Downscale> {
  const { context, cluster, facts, placement, going } = pass
  const { shards } = cluster.spec.hotTier
  const { shardPods = shards, shardSet } = facts
  const waits: Downscale = []
  let pods = shardPods
  for (let shard = shardPods - 1; shard >= shards; shard--) {
    const emptiness = proveEmpty(placement, shard)
    const wait = (predicate: string, message: string) =>
      waits.unshift({ pod: podOfShard(cluster, shard), predicate, message })
    if (emptiness.kind === 'Unknown') wait('shard_is_empty', emptiness.why)
    else if (restarting !== undefined) wait('no_shard_restarts', restarting)
    else if (pods !== shard + 1) wait('shard_is_empty', `shard ${pods - 1} goes first`)
    else pods = shard
  }
  if (pods < shardPods && shardSet !== undefined) await lowerSet(context, cluster, shardSet, pods)
  const rest = going.filter((shard) => shard >= pods)
  const message = 'Its pod is being taken away.'
  const left = pods < shardPods ? rest.map((shard) => ({ pod: podOfShard(cluster, shard), predicate: 'pod_is_gone', message })) : await removeShards(context, cluster, placement, rest) // biome-ignore format: one line
  return [...waits, ...left]
}

/** On the very version that was read: whatever came between is looked at first. */
async function lowerSet(
  { kubernetes, child, lowered, log, record }: OperatorContext,
  cluster: TrueNowCluster,
  set: KubernetesObject,
  replicas: number,
): Promise<void> {
  const { namespace, name, uid } = cluster.metadata
  const live = child<Workload>('StatefulSet', { namespace, name: `${name}-hot-tier` })
  if (live === undefined) return
  const { uid: setUid, resourceVersion } = live.metadata
  const metadata = { ...set.metadata, uid: setUid, resourceVersion }
  const spec = { ...(set.spec as object), replicas }
  await kubernetes.apply(childResource('StatefulSet'), { ...set, metadata, spec }, { force: true })
  lowered.set(uid, replicas)
  log.info({ cluster: name, replicas }, 'empty shards lose their pods')
  const note = `Shards from ${replicas} on hold nothing any more: their pods go, then their volumes.`
  await record(cluster, { type: 'Normal', reason: 'ShardsEmptied', action: 'ScaleIn', note })
}
