import type { CatalogRow } from './catalog-store.ts'

/** Ordinals as the catalog keeps them: ascending, apart by commas, null where there are none; equal sets are equal texts. */
export const drainedText = (shards: readonly number[]): string | null =>
  shards.length === 0 ? null : [...new Set(shards)].toSorted((a, b) => a - b).join(',')

/** Shards that may be given no replica though they are declared. */
export const drainedShards = ({ drained_shards: text }: Pick<CatalogRow, 'drained_shards'>): number[] =>
  text === null ? [] : text.split(',').map(Number)

/** Shards that may be given replicas, ascending. */
export const openShards = (catalog: Pick<CatalogRow, 'shards' | 'drained_shards'>): number[] => {
  const drained = drainedShards(catalog)
  return Array.from({ length: catalog.shards }, (_, shard) => shard).filter(
    (shard) => !drained.includes(shard),
  )
}
