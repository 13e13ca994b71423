import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type HotVerdict, planHotMoves, type StaysBecause } from '@truenow/kernels/sharding/plan-hot-moves.ts'
import { placementLimits } from './placement-limits.ts'
import { mayHold } from './plan-repair.ts'
import { type HottestReplica, type SlotFigures, shardLoads, slotKey } from './slot-figures.ts'

/** A slot that is hot, with what is to be done about it. */
export type HotSlot = Pick<SlotFigures, 'table' | 'slot' | 'held'> &
  HottestReplica &
  Readonly<{ advice: { move: { from: number; to: number } } | { stays: StaysBecause } | 'moving' }>

/**
 * The slots that were judged hot, with what they take and where they should go. `all`: the figures of this placement. Same
 * placement, same answer. Pure.
 */
export function hotSlots(
  placement: GetPlacementResponse,
  all: readonly SlotFigures[],
  isHot: (key: string) => boolean,
): HotSlot[] {
  const hot = all.flatMap((figures) =>
    figures.hottest !== undefined && isHot(slotKey(figures.table, figures.slot))
      ? [{ ...figures, ...figures.hottest }]
      : [],
  )
  if (hot.length === 0) return [] // As a rule, and loads are a walk over all slots.
  const limits = placementLimits(placement)
  const loads = shardLoads(placement, (shard) => mayHold(limits, shard))
  const planned = hot
    .filter(({ moving }) => !moving)
    .map((one) => ({ ...one, slot: slotKey(one.table, one.slot) }))
  const verdicts = new Map(planHotMoves(planned, loads).map((verdict) => [verdict.slot, verdict]))
  return hot.map(({ table, slot, held, shard, heat, rowsPerSecond, busyShare, bytes, topKeys }) => ({
    table,
    slot,
    held,
    shard,
    heat,
    rowsPerSecond,
    busyShare,
    bytes,
    topKeys,
    advice: adviceOf(verdicts.get(slotKey(table, slot))),
  }))
}

function adviceOf(verdict: HotVerdict | undefined): HotSlot['advice'] {
  if (verdict === undefined) return 'moving'
  return verdict.kind === 'moves' ? { move: { from: verdict.from, to: verdict.to } } : { stays: verdict.why }
}
