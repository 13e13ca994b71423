import type { TableFreshness } from './judge-table.ts'

/** A table's freshness as HTTP tells it. Unknown is null, never a number. */
export function freshnessJson(freshness: TableFreshness) {
  return {
    namespace: freshness.namespace,
    table: freshness.table,
    watermark_us: freshness.watermarkUs ?? null,
    freshness_us: freshness.freshnessUs ?? null,
    resident_rows: freshness.residentRows,
    slots: freshness.slots.map((slot) => ({
      slot: slot.slot,
      health: slot.health,
      watermark_us: slot.watermarkUs ?? null,
      cursor_offset: slot.cursorOffset,
      end_offset: slot.endOffset,
      serving_replicas: slot.servingReplicas,
      culprit: slot.culprit,
      mismatch: slot.mismatch,
      unbalanced: slot.unbalanced,
    })),
  }
}
