import type { Change } from './catalog-store.ts'

/**
 * A shard of ours that knows a greater epoch than the catalog gave out means that PostgreSQL was restored from a backup: every
 * slot goes on above it, else shards and queries would refuse what we say as outdated, for ever. Nothing in normal operation.
 */
export async function goOnAbove(change: Change, seen: { epoch: bigint; incarnation: bigint }): Promise<void> {
  const { query, catalog, touch, audit, nextEpoch } = change
  const [epoch, incarnation] = [Number(seen.epoch), Number(seen.incarnation)]
  if (Number.isSafeInteger(incarnation) && incarnation > catalog.incarnation_last) {
    catalog.incarnation_last = incarnation
  }
  if (!Number.isSafeInteger(epoch) || epoch <= catalog.epoch_last) return
  audit('raise-epochs', 'catalog', `${catalog.epoch_last} → above ${epoch}: a shard knows it`)
  catalog.epoch_last = epoch
  await query('UPDATE $schema.slot SET epoch = $1', [nextEpoch()])
  // Revisions began at the time in ms and rise more slowly than it, so now is above all that watchers hold.
  const [now] = await query<{ ms: number }>('SELECT floor(extract(epoch FROM now()) * 1000)::bigint AS ms')
  catalog.revision = Math.max(catalog.revision, now?.ms ?? 0)
  touch()
}
