import { TrueNowError } from '@truenow/contracts/errors.ts'
import { REPLACE_AFTER_DEFAULT, type TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { rebalancing } from '../conditions/rebalancing.ts'
import { microsecondsOfDuration } from '../duration.ts'
import { ensureOwnRebalance } from '../ensure-own-rebalance.ts'
import type { OperatorContext } from '../operator-context.ts'
import { planRepair } from '../plan-repair.ts'
import { modeOf } from '../propose-rebalance.ts'
import { repairGoal } from '../repair-goal.ts'
import type { Step } from '../step.ts'

/**
 * Sees to it that every slot stands on as many shards as it shall: away from shards that shall go, more or fewer for another
 * replication factor, anew where a shard is lost for good. What is missing is asked for as a Rebalance of the operator's own,
 * which approves itself: people asked for it by the spec. A lost shard that holds nothing any more is retired, so that moves
 * need not wait for its word.
 */
export function repairPlacement(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'repair-placement',
    condition: 'Synced',
    run: async (cluster, { placement, paused }) => {
      if (placement?.catalog === undefined) return { kind: 'done' }
      const told = { kind: 'done', facts: { rebalancing: rebalancing(placement) } } as const
      if (paused === true) return told // The silence of shards is not counted meanwhile, either.
      context.silence.look(cluster.metadata.uid, placement, replaceAfterMs(cluster))
      const goal = repairGoal(context, cluster, placement)
      const { moves } = planRepair(placement, goal)
      for (const mode of new Set(moves.map((move) => modeOf(move, goal))))
        await ensureOwnRebalance(context, cluster, mode)
      await retireLost(context, cluster, placement, goal.lost)
      return told
    },
  }
}

/** Never, where it is 0. */
function replaceAfterMs({ spec }: TrueNowCluster): number {
  const ms = microsecondsOfDuration(spec.rebalance?.replaceAfter ?? REPLACE_AFTER_DEFAULT) / 1_000
  return ms === 0 ? Number.POSITIVE_INFINITY : ms
}

async function retireLost(
  { operands, leaderEpochs, log, record }: OperatorContext,
  cluster: TrueNowCluster,
  { catalog }: NonNullable<ClusterFacts['placement']>,
  lost: ReadonlySet<number>,
): Promise<void> {
  const holders = new Set(
    catalog?.tables.flatMap(({ slots }) =>
      slots.flatMap(({ replicas }) => replicas.map(({ shard }) => shard)),
    ),
  )
  const shards = (catalog?.shards ?? []).map(({ shard }) => shard).filter((shard) => lost.has(shard) && !holders.has(shard)) // biome-ignore format: one line
  if (shards.length === 0) return
  try {
    await leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
      operands.controlPlane(cluster.metadata).retireShards({ leaderEpoch, shards }),
    )
    const note = `Shards ${shards.join(', ')} were silent for too long and hold nothing any more; what comes back under their names starts empty.`
    await record(cluster, { type: 'Warning', reason: 'ShardsRetired', action: 'Repair', note })
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    log.warn({ cluster: cluster.metadata.name, shards, err: error }, 'lost shards could not be retired yet')
  }
}
