import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DrainedShardsSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { clusterDeclaration } from '../cluster-declaration.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { type Judgement, NOTHING_REASON } from '../conditions/judgement.ts'
import { drainedOf } from '../drained-of.ts'
import type { OperatorContext } from '../operator-context.ts'
import { podOfShard } from '../pod-of-shard.ts'
import { proveEmpty } from '../prove-empty.ts'
import type { Step, StepResult } from '../step.ts'
import { whatRestarts } from '../what-restarts.ts'
import { whyNotScaleIn } from '../why-not-scale-in.ts'

type Drain = NonNullable<ClusterFacts['drain']>

/**
 * Marks the shards of `hotTier.drain` in the control plane once the others have room for all that they hold, after which moves
 * empty them (docs/design/0008); takes the mark off those that are drained no more, at once, which undoes what does not serve
 * yet. All is read anew in each pass.
 */
export function drainShards(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'drain-shards',
    condition: 'Synced',
    run: async (cluster, facts) => {
      const { placement, paused } = facts
      if (placement?.catalog === undefined || placement.catalog.shardCount === 0) return { kind: 'done' }
      const wanted = drainedOf(cluster.spec.hotTier)
      const marked = placement.catalog.drainedShards
      const all = (predicate: string, message: string): Drain =>
        wanted.map((shard) => ({ pod: podOfShard(cluster, shard), predicate, message }))
      if (wanted.length === 0 && marked.length === 0) return { kind: 'done', facts: { draining: NOTHING } }
      if (paused === true) return told(all('operator_is_running', 'spec.paused is true.'), 'Paused')
      try {
        const kept = marked.filter((shard) => wanted.includes(shard))
        if (kept.length < marked.length) await mark(context, cluster, kept)
        if (kept.length === wanted.length) return standing(cluster, placement, kept)
        const restarting = whatRestarts(context, cluster, facts)
        if (restarting !== undefined) return told(all('no_shard_restarts', restarting), 'Restarting')
        const { shardCount } = placement.catalog
        const { replicationFactor } = cluster.spec.hotTier
        const lost = context.silence.lost(cluster.metadata.uid)
        const problem = whyNotScaleIn(placement, {
          shardCount,
          replicationFactor,
          drained: new Set(wanted),
          lost,
        })
        if (problem !== undefined) return refused(all('capacity_for_the_rest', problem.message), problem)
        await mark(context, cluster, wanted)
        return told(all('shard_is_empty', 'Just marked: its slots move to other shards.'), 'Emptying')
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        return told(all('control_plane_answers', error.message), 'Emptying')
      }
    },
  }
}

const NOTHING: Judgement = {
  type: 'Draining',
  status: 'False',
  reason: NOTHING_REASON,
  message: 'No shard is to be emptied.',
}

const mark = ({ leaderEpochs, operands }: OperatorContext, cluster: TrueNowCluster, shards: number[]) =>
  leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
    operands.controlPlane(cluster.metadata).putCluster({
      ...clusterDeclaration(cluster),
      drained: create(DrainedShardsSchema, { shards }),
      leaderEpoch,
    }),
  )

/** Every one is marked: which hold nothing any more, and which do. */
function standing(
  cluster: TrueNowCluster,
  placement: NonNullable<ClusterFacts['placement']>,
  shards: readonly number[],
): StepResult<ClusterFacts> {
  const drain = shards.map((shard) => {
    const pod = podOfShard(cluster, shard)
    const emptiness = proveEmpty(placement, shard)
    if (emptiness.kind === 'Unknown') return { pod, predicate: 'shard_is_empty', message: emptiness.why }
    const message = `It holds nothing, and is given nothing until \`kubectl truenow uncordon ${pod}\`.`
    return { pod, predicate: UNCORDONED, message }
  })
  return told(drain, drain.every(({ predicate }) => predicate === UNCORDONED) ? 'Drained' : 'Emptying')
}

/** What a shard that holds nothing waits for. */
export const UNCORDONED = 'shard_is_uncordoned'

function told(drain: Drain, reason: string): StepResult<ClusterFacts> {
  const first = drain.find(({ predicate }) => predicate !== UNCORDONED) ?? drain[0]
  if (first === undefined) return { kind: 'done', facts: { draining: NOTHING } }
  const message = `${drain.length} shards are drained. ${first.pod}: ${first.message}`
  return { kind: 'done', facts: { drain, draining: { type: 'Draining', status: 'True', reason, message } } }
}

function refused(
  drain: Drain,
  problem: Readonly<{ reason: string; message: string }>,
): StepResult<ClusterFacts> {
  const message = `Nothing was begun: ${problem.message}`
  return {
    kind: 'done',
    facts: { drain, draining: { type: 'Draining', status: 'False', reason: problem.reason, message } },
  }
}
