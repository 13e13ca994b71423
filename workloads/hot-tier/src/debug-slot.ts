import type { ShardSlot } from './shard-slot.ts'

export type DebugSlot = ReturnType<typeof debugSlot>

/** A replica as its worker sees it; for people, not for programs. */
export const debugSlot = (slot: ShardSlot, worker: number) => ({
  ...slot.key,
  ...slot.assignment,
  worker,
  cursor: slot.replica.cursor,
  end_offset: slot.endOffset,
  watermark_us: slot.watermarkUs,
  retained_from_us: slot.replica.retainedFromUs,
  counters: slot.replica.counters,
  remembered_ids: slot.replica.ids.size,
  remembered_ids_in_runs: slot.replica.ids.sizeInRuns,
  id_runs: slot.replica.ids.runCount,
  buckets: slot.replica.buckets.size,
  rollups: slot.replica.rollups,
  resident_rows: slot.replica.residentRows,
  resident_bytes: slot.replica.residentBytes,
  load: slot.load.figures(),
  top_keys: slot.topKeys,
  snapshot_offset: slot.snapshots.offset,
  state_hash: slot.hash,
  copying_from: slot.copyingFrom,
  stalled_reason: slot.stalledReason,
})
