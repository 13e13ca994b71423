import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { planPlacement } from '@truenow/kernels/sharding/plan-placement.ts'
import {
  moveLoad,
  type ShardLoad,
  shardUse,
  shiftLoad,
  type Taken,
} from '@truenow/kernels/sharding/shard-use.ts'
import { type HotSlot, hotSlots } from './hot-slots.ts'
import { placementLimits } from './placement-limits.ts'
import { mayHold, type RepairMove } from './plan-repair.ts'
import { residentBytes } from './resident-bytes.ts'
import { type SlotFigures, shardLoads, slotFigures, slotKey } from './slot-figures.ts'

/** Moves that one proposal plans at most. */
export const PROPOSED_MOVES_MAX = 1_000

/** Which slots are hot, by `slotKey`, and from where on a shard is as busy as one. */
export type Heat = Readonly<{ isHot: (key: string) => boolean; hotAt: number }>
const NO_HEAT: Heat = { isHot: () => false, hotAt: Number.POSITIVE_INFINITY }

type Planned = Readonly<{ from: number; to: number }> & Pick<SlotFigures, 'table' | 'slot'> & Taken

/**
 * The moves that would even the shards out, over all tables at once: first those of hot slots that a move helps, then, by the
 * one planner, those of others that even the numbers of replicas out and heat no shard. Shards that are leaving or drained are left out,
 * and none that is silent is given anything. A slot is moved once; what it lacks then is for the next proposal. Same
 * placement and same hot slots, same moves. Pure.
 */
export function planBalance(placement: GetPlacementResponse, heat: Heat = NO_HEAT): readonly RepairMove[] {
  const figures = slotFigures(placement)
  const hot = hotSlots(placement, figures, heat.isHot)
  const relieving = hot.flatMap((slot) => {
    const move = moveOf(slot)
    return move === undefined ? [] : [{ ...slot, ...move }]
  })
  const loads = new Map(shardLoads(placement, () => true).map((load) => [load.shard, load]))
  for (const move of relieving) moveLoad(loads, move, move)
  const evening = eveningMoves(placement, figures, hot, heat).filter((move) => {
    if (heats(loads, move, heat.hotAt)) return false
    moveLoad(loads, move, move)
    return true
  })
  const bytesOf = ({ table, slot, from }: Planned) => residentBytes(placement.loads, [from], table, slot)
  const plain = (move: Planned) => ({ table: move.table, slot: move.slot, from: move.from, to: move.to, bytes: bytesOf(move) }) // biome-ignore format: one line
  const why = (to: number) => `The slot is hot, and shard ${to} less busy.`
  return [
    ...relieving.map((move) => ({ ...plain(move), message: why(move.to) })),
    ...evening.map((move) => plain(move)),
  ].slice(0, PROPOSED_MOVES_MAX)
}

/** Moves of slots that are not hot by which all shards hold about as many replicas, the coolest first, since they change least. */
function eveningMoves(
  placement: GetPlacementResponse,
  figures: readonly SlotFigures[],
  hot: readonly HotSlot[],
  { isHot }: Heat,
): readonly Planned[] {
  const { catalog, silentShards } = placement
  const limits = placementLimits(placement)
  const shards = (catalog?.shards ?? []).map(({ shard }) => shard).filter((shard) => mayHold(limits, shard))
  const cold = figures
    .filter(({ table, slot }) => !isHot(slotKey(table, slot)))
    .toSorted((a, b) => tenthsOf(a) - tenthsOf(b))
  const plan = planPlacement({
    slots: cold.map(({ held }) => held),
    shards,
    takers: shards.filter((shard) => !silentShards.includes(shard)),
    replicationFactor: catalog?.replicationFactor ?? 1,
    load: replicasOf(hot),
    movesMax: PROPOSED_MOVES_MAX,
  })
  const seen = new Set<number>()
  return plan.moves.flatMap(({ slot: index, from, to }) => {
    const moved = cold[index]
    // The planner takes what a slot has too many as gone; that is for a repair, and until then its shard holds the slot.
    if (moved === undefined || seen.has(index) || moved.held.includes(to)) return []
    seen.add(index)
    const { table, slot, hottest } = moved
    return [{ table, slot, from, to, busyShare: hottest?.busyShare ?? 0, bytes: hottest?.bytes ?? 0 }]
  })
}

/** Rounded, so that slots which take about the same keep their order. */
const tenthsOf = ({ hottest }: SlotFigures): number => Math.round((hottest?.heat ?? 0) * 10)

const moveOf = ({ advice }: HotSlot) => (advice !== 'moving' && 'move' in advice ? advice.move : undefined)

/** Replicas of hot slots on each shard, once those that a move helps have moved. */
function replicasOf(hot: readonly HotSlot[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const slot of hot) {
    const move = moveOf(slot)
    const held =
      move === undefined ? slot.held : [...slot.held.filter((shard) => shard !== move.from), move.to]
    for (const shard of held) counts.set(shard, (counts.get(shard) ?? 0) + 1)
  }
  return counts
}

/** Whether the receiver would be as busy as a hot slot makes it, and busier than the giver was: then numbers stay uneven. */
function heats(loads: ReadonlyMap<number, ShardLoad>, move: Planned, hotAt: number): boolean {
  const [giver, receiver] = [loads.get(move.from), loads.get(move.to)]
  if (giver === undefined || receiver === undefined || move.busyShare === 0) return false
  const use = shardUse(shiftLoad(receiver, move, 1))
  return use >= hotAt && use > shardUse(giver)
}
