import type { TableDefinition } from '@truenow/contracts/table-definition.ts'

/** Offsets lost by Kafka's retention, and the slot's log time around them; 0 = not known. */
export type LostOffsets = Readonly<{
  firstOffset: number
  resumeOffset: number
  fromUs: number
  toUs: number
}>
/** What an answer has seen of one slot: one replica, at one cut. */
export type SlotCut = Readonly<{
  slot: number
  shard: number
  incarnation: number
  offset: number
  checksum: number
  watermarkUs: number
  retainedFromUs: number
  gaps: readonly LostOffsets[]
}>
export type Completeness = Readonly<{
  watermarkUs: number | null
  retainedFromUs: number | null
  complete: boolean
  /** Why not complete, in words; empty when complete. */
  reasons: readonly string[]
}>

/**
 * Says how true an answer over [startUs, endUs) is. Complete: every slot is present, its watermark is at or above the
 * end, it holds everything from the start on, and no lost record can have had an event time inside.
 * A watermark that an idle slot's heartbeat lifted rests on clocks, so it is held below the asker's own clock too.
 */
export function judgeCompleteness(
  range: Readonly<{ startUs: number; endUs: number }>,
  cuts: readonly SlotCut[],
  slotsMissing: number,
  definition: TableDefinition,
  nowUs: number,
): Completeness {
  const ceilingUs = nowUs - definition.allowedLatenessUs
  const watermarks = cuts.map(({ watermarkUs }) => Math.min(watermarkUs, ceilingUs))
  const watermarkUs = watermarks.length === 0 ? null : watermarks.reduce((a, b) => Math.min(a, b))
  const retained = cuts.map(({ retainedFromUs }) => retainedFromUs)
  const retainedFromUs = retained.length === 0 ? null : retained.reduce((a, b) => Math.max(a, b))
  const reasons: string[] = []
  if (slotsMissing > 0) reasons.push(`${slotsMissing} slots are missing`)
  if (watermarkUs !== null && watermarkUs < range.endUs) {
    reasons.push(`rows up to end_time may still arrive: the watermark is ${watermarkUs}`)
  }
  if (retainedFromUs !== null && retainedFromUs > range.startUs) {
    reasons.push(`rows before ${retainedFromUs} are no longer held`)
  }
  for (const { slot, gaps } of cuts) {
    const gap = gaps.find((lost) => mayTouch(lost, range, definition))
    if (gap !== undefined) {
      reasons.push(`slot ${slot} lost the records [${gap.firstOffset}, ${gap.resumeOffset}) of the log`)
    }
  }
  return { watermarkUs, retainedFromUs, complete: reasons.length === 0, reasons }
}

/** A row appended at log time t has an event time from t - retention (older is expired) to t + maxFutureSkew. */
function mayTouch(
  lost: LostOffsets,
  { startUs, endUs }: Readonly<{ startUs: number; endUs: number }>,
  { retentionUs, maxFutureSkewUs }: TableDefinition,
): boolean {
  const lowUs = lost.fromUs === 0 ? Number.NEGATIVE_INFINITY : lost.fromUs - retentionUs
  const highUs = lost.toUs === 0 ? Number.POSITIVE_INFINITY : lost.toUs + maxFutureSkewUs
  return startUs <= highUs && endUs > lowUs
}
