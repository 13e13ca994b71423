import { planPlacement } from '@truenow/kernels/sharding/plan-placement.ts'
import type { Change } from './catalog-store.ts'
import { openShards } from './drained-shards.ts'

/**
 * Places every replica of a table that has no shard yet, and declares all of them `joining` under a new epoch: whoever
 * held rows of it before proves again that it has caught up.
 */
export async function placeTable(
  { query, catalog, nextEpoch }: Change,
  tableId: number,
  slots: number,
): Promise<void> {
  const held = await query<{ slot: number; shard: number }>(
    'SELECT slot, shard FROM $schema.replica WHERE table_id = $1 ORDER BY slot, shard',
    [tableId],
  )
  const heldOf = Map.groupBy(held, ({ slot }) => slot)
  const load = await query<{ shard: number; replicas: number }>(
    'SELECT shard, count(*)::int AS replicas FROM $schema.replica WHERE table_id <> $1 GROUP BY shard',
    [tableId],
  )
  const plan = planPlacement({
    slots: numbersBelow(slots).map((slot) => (heldOf.get(slot) ?? []).map(({ shard }) => shard)),
    shards: numbersBelow(catalog.shards),
    takers: openShards(catalog),
    replicationFactor: catalog.replication_factor,
    load: new Map(load.map(({ shard, replicas }) => [shard, replicas])),
  })
  const epoch = nextEpoch()
  const replicas = plan.slots.flatMap((shards, slot) => shards.map((shard) => ({ slot, shard })))
  await query('DELETE FROM $schema.replica WHERE table_id = $1', [tableId])
  await query(
    `INSERT INTO $schema.slot (table_id, slot, epoch) SELECT $1::bigint, slot, $3::bigint
     FROM generate_series(0, $2::int - 1) AS slot ON CONFLICT (table_id, slot) DO UPDATE SET epoch = excluded.epoch`,
    [tableId, slots, epoch],
  )
  await query(
    `INSERT INTO $schema.replica (table_id, slot, shard, incarnation, state)
     SELECT $1::bigint, given.slot, given.shard, coalesce(shard.incarnation, 0), 'joining'
     FROM unnest($2::int[], $3::int[]) AS given (slot, shard)
     LEFT JOIN $schema.shard AS shard ON shard.shard = given.shard`,
    [tableId, replicas.map(({ slot }) => slot), replicas.map(({ shard }) => shard)],
  )
}

function numbersBelow(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
