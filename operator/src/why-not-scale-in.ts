import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { volumeNeed } from '@truenow/kernels/sharding/volume-need.ts'
import { mayHold, planRepair, type RepairGoal } from './plan-repair.ts'
import { tableName } from './table-name.ts'

/** What a replica may grow by while it is moved, in percent of what it holds. */
export const GROWTH_PERCENT = 10
/** Why shards cannot be taken away now, in the words of the condition. */
export type ScaleInProblem = Readonly<{ reason: string; message: string }>

/**
 * Whether a cluster can do with the shards that the goal leaves, asked before anything is marked and for the whole plan: a
 * scale-in or a drain that is begun must be able to end. Undefined: it can. Pure.
 */
export function whyNotScaleIn(placement: GetPlacementResponse, goal: RepairGoal): ScaleInProblem | undefined {
  const moving = placement.openMoves.length
  if (moving > 0)
    return {
      reason: 'MovesOpen',
      message: `${moving} moves are not over yet; wait for them, or stop their Rebalance with truenow.io/stop=true.`,
    }
  const thin = thinSlot(placement, goal)
  if (thin !== undefined)
    return { reason: 'RepairFirst', message: `${thin}; shards go when every slot that stays is whole.` }
  const { moves, missing } = planRepair(placement, goal)
  if (missing > 0)
    return {
      reason: 'InsufficientCapacity',
      message: `${missing} replicas would find no shard: of those that stay, fewer report than replicationFactor ${goal.replicationFactor} needs; keep more shards or lower it.`,
    }
  return whatDoesNotFit(placement, moves)
}

/** A slot of which a replica that stays does not answer, or that nobody answers for. */
function thinSlot({ catalog, silentShards }: GetPlacementResponse, goal: RepairGoal): string | undefined {
  for (const { topic, slots } of catalog?.tables ?? [])
    for (const { slot, replicas } of slots) {
      const name = `${tableName(topic)}/${slot}`
      const answers = replicas.filter(
        ({ shard, state }) => state === ReplicaState.SERVING && !silentShards.includes(shard),
      )
      if (answers.length === 0) return `no replica of slot ${name} answers`
      const absent = replicas.find((one) => mayHold(goal, one.shard) && !answers.includes(one))
      if (absent !== undefined) return `the replica of slot ${name} on shard ${absent.shard} does not serve`
    }
  return undefined
}

function whatDoesNotFit(
  { loads }: GetPlacementResponse,
  moves: ReadonlyArray<Readonly<{ to: number; bytes: number }>>,
): ScaleInProblem | undefined {
  for (const [shard, arriving] of Map.groupBy(moves, ({ to }) => to)) {
    const load = loads.find((one) => one.shard === shard)
    if (load === undefined) continue
    const free = Number(load.memoryBytesMax) - Number(load.memoryBytes)
    const bytes = arriving.reduce((sum, move) => sum + move.bytes, 0)
    const needed = Math.ceil((bytes * (100 + GROWTH_PERCENT)) / 100)
    const gets = `Shard ${shard} would get ${arriving.length} replicas and need`
    const lacks = (message: string) => ({ reason: 'InsufficientCapacity', message })
    if (load.memoryBytesMax > 0n && needed > free)
      return lacks(
        `${gets} ${needed} bytes, of which ${Math.max(0, free)} are free; keep more shards, raise memoryPerShard or shorten a retention.`,
      )
    const onVolume = volumeNeed(needed, load)
    if (onVolume !== undefined)
      return lacks(
        `${gets} ${onVolume} bytes of its volume, of which ${load.volumeBytesFree} are free; keep more shards, raise storage.size or shorten a retention.`,
      )
  }
  return undefined
}
