import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type HotVerdict, planHotMoves, type StaysBecause } from '@truenow/kernels/sharding/plan-hot-moves.ts'
import { placementLimits } from './placement-limits.ts'
import { mayHold } from './plan-repair.ts'
import { type HottestReplica, type SlotFigures, shardLoads, slotFigures, slotKey } from './slot-figures.ts'

/** A slot that is hot, with what is to be done about it. */
export type HotSlot = Pick<SlotFigures, 'table' | 'slot' | 'held'> &
  HottestReplica &
  Readonly<{ advice: { move: { from: number; to: number } } | { stays: StaysBecause } | 'moving' }>

/** The slots that were judged hot, with what they take by this placement and where they should go. Same placement, same answer. Pure. */
export function hotSlots(placement: GetPlacementResponse, isHot: (key: string) => boolean): HotSlot[] {
  const hot = slotFigures(placement).flatMap((figures) =>
    figures.hottest !== undefined && isHot(slotKey(figures.table, figures.slot))
      ? [{ ...figures, ...figures.hottest }]
      : [],
  )
  const loads = shardLoads(placement, (shard) => mayHold(placementLimits(placement), shard))
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
