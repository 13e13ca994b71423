import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import { planPlacement } from '@truenow/kernels/sharding/plan-placement.ts'
import { residentBytes } from './resident-bytes.ts'
import { tableName } from './table-name.ts'

/** What the placement shall be like. */
export type RepairGoal = Readonly<{
  /** Ordinals below this may hold replicas. */
  shardCount: number
  replicationFactor: number
  /** Of these, those that may hold none. */
  drained: ReadonlySet<number>
  /** Shards that will not come back: theirs are replaced. */
  lost: ReadonlySet<number>
}>
/** One replica that goes from one shard to another; NOBODY: one more, or one fewer. */
export type RepairMove = Readonly<{
  table: string
  slot: number
  from: number
  to: number
  bytes: number
  /** Why, where that is not what the plan is for. */
  message?: string
}>
export type RepairPlan = Readonly<{
  moves: readonly RepairMove[]
  /** Replicas that found no shard: too few of those that stay report. */
  missing: number
}>

type Slot = NonNullable<GetPlacementResponse['catalog']>['tables'][number]['slots'][number]
type Placed = Readonly<{ table: string; slot: number; held: readonly number[]; kept: readonly number[] }>

/**
 * What has to change so that every slot stands on as many shards as it shall, none of which is leaving or lost: at most one
 * move a slot, so that what remains is planned from what came of it. A slot that moves already is left out, unless it moves
 * to a shard that is lost. Replicas go only to shards that report. Same placement, same plan. Pure.
 */
export function planRepair(placement: GetPlacementResponse, goal: RepairGoal): RepairPlan {
  const { catalog, silentShards, loads } = placement
  const stays = (shard: number) => mayHold(goal, shard) && !goal.lost.has(shard)
  const reports = (shard: number) => stays(shard) && !silentShards.includes(shard)
  const known = (catalog?.shards ?? []).map(({ shard }) => shard)
  const slots = slotsOf(placement, goal.lost)
  const placed: Placed[] = slots.map(({ table, slot }) => {
    const held = slot.replicas.map(({ shard }) => shard)
    const answers = slot.replicas.filter(
      ({ shard, state }) => state === ReplicaState.SERVING && reports(shard),
    )
    const kept = surplusOut(held.filter(stays), answers.map(({ shard }) => shard), goal.replicationFactor) // biome-ignore format: one line
    return { table, slot: slot.slot, held, kept }
  })
  const plan = planPlacement({
    slots: placed.map(({ kept }) => kept),
    shards: [...new Set([...known.filter(stays), ...placed.flatMap(({ kept }) => kept)])],
    takers: known.filter(reports),
    replicationFactor: goal.replicationFactor,
  })
  const moves = placed.flatMap(({ table, slot, held }, index) => {
    const wanted = plan.slots[index] ?? []
    const [from = NOBODY] = held.filter((shard) => !wanted.includes(shard)).toSorted(byReport(silentShards))
    const [to = NOBODY] = wanted.filter((shard) => !held.includes(shard))
    if (from === NOBODY && to === NOBODY) return []
    // To be replaced without anybody to replace it: it stays what it is until somebody can.
    if (to === NOBODY && held.length <= goal.replicationFactor) return []
    return [{ table, slot, from, to, bytes: residentBytes(loads, held, table, slot) }]
  })
  return { moves, missing: plan.missing }
}

/** Whether a shard is one that replicas may stand on. Pure. */
export const mayHold = (
  { shardCount, drained }: Pick<RepairGoal, 'shardCount' | 'drained'>,
  shard: number,
): boolean => shard < shardCount && !drained.has(shard)

/** Slots that may be planned now, as they stand. */
function slotsOf(
  { catalog, openMoves }: GetPlacementResponse,
  lost: ReadonlySet<number>,
): Array<{ table: string; slot: Slot }> {
  const moving = new Map(
    openMoves.map(({ table, slot, to }) => [`${table?.namespace}.${table?.name}/${slot}`, to]),
  )
  return (catalog?.tables ?? []).flatMap(({ topic, slots }) => {
    const table = tableName(topic)
    return slots.flatMap((slot) => {
      const to = moving.get(`${table}/${slot.slot}`)
      if (to === undefined) return [{ table, slot }]
      if (!lost.has(to)) return []
      // The copy that was on its way there goes with the move.
      return [{ table, slot: { ...slot, replicas: slot.replicas.filter(({ shard, state }) => shard !== to || state === ReplicaState.SERVING) } }] // biome-ignore format: one line
    })
  })
}

/** Of too many replicas, those that do not answer go first; among those that do the planner chooses by load. */
function surplusOut(held: readonly number[], answering: readonly number[], max: number): readonly number[] {
  const silent = held.filter((shard) => !answering.includes(shard))
  const surplus = Math.max(0, Math.min(silent.length, held.length - max))
  const gone = silent.slice(silent.length - surplus)
  return held.filter((shard) => !gone.includes(shard))
}

/** Whoever does not report is replaced first. */
const byReport = (silent: readonly number[]) => (left: number, right: number) =>
  Number(silent.includes(right)) - Number(silent.includes(left)) || left - right
