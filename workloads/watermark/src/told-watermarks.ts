/**
 * What readers were told of each slot. A watermark never goes back for a reader: where the replicas that are left are
 * behind what was told, it is unknown until they have caught up, rather than a guess or a step back.
 */
export function createToldWatermarks() {
  const told = new Map<string, number>()
  return {
    /** The watermark that may be told now. */
    tell(key: string, watermarkUs: number | undefined): number | undefined {
      const before = told.get(key)
      if (watermarkUs === undefined || (before !== undefined && watermarkUs < before)) return undefined
      told.set(key, watermarkUs)
      return watermarkUs
    },
    highest: (key: string): number | undefined => told.get(key),
    /** Forgets slots that the catalog no longer names. */
    keepOnly(keys: ReadonlySet<string>): void {
      for (const key of told.keys()) if (!keys.has(key)) told.delete(key)
    },
  }
}
export type ToldWatermarks = ReturnType<typeof createToldWatermarks>
