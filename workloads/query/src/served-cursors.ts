/**
 * The highest offset that this process has served of each slot: below it an answer would step back in the eyes of
 * whoever asked twice, so other replicas are tried first, and if none is as far the answer says `regressed`.
 * Offsets of all incarnations are compared: they count the same log.
 */
export function createServedCursors() {
  const tables = new Map<string, Map<number, number>>()
  return {
    /** -1 = nothing served yet. */
    highest: (table: string, slot: number): number => tables.get(table)?.get(slot) ?? -1,
    raise(table: string, slot: number, offset: number): void {
      const slots = tables.get(table) ?? new Map<number, number>()
      tables.set(table, slots)
      if (offset > (slots.get(slot) ?? -1)) slots.set(slot, offset)
    },
    /** Forgets tables that the catalog no longer names: one made anew starts its log anew. */
    keepOnly(names: ReadonlySet<string>): void {
      for (const table of tables.keys()) if (!names.has(table)) tables.delete(table)
    },
  }
}
export type ServedCursors = ReturnType<typeof createServedCursors>
