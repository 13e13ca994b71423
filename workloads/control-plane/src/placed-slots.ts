import type { Query } from '@truenow/chassis/postgres-port.ts'
import type { PlacedSlot, ReplicaStateName } from '@truenow/kernels/sharding/move-protocol.ts'

export type SlotKey = Readonly<{ tableId: number; slot: number }>
export type SlotChange = SlotKey & Readonly<{ before: PlacedSlot; after: PlacedSlot }>

export const slotKeyOf = ({ tableId, slot }: SlotKey): string => `${tableId}/${slot}`

/** The placement of these slots, by `slotKeyOf`. */
export async function readPlacedSlots(
  query: Query,
  keys: readonly SlotKey[],
): Promise<ReadonlyMap<string, PlacedSlot>> {
  const rows = await query<{
    table_id: number
    slot: number
    epoch: number
    shard: number | null
    incarnation: number
    state: ReplicaStateName
  }>(
    `SELECT slot.table_id, slot.slot, slot.epoch, replica.shard, replica.incarnation, replica.state
     FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::int[]) AS given (table_id, slot)) AS given
     JOIN $schema.slot AS slot USING (table_id, slot) LEFT JOIN $schema.replica AS replica USING (table_id, slot)
     ORDER BY slot.table_id, slot.slot, replica.shard`,
    [keys.map(({ tableId }) => tableId), keys.map(({ slot }) => slot)],
  )
  const bySlot = Map.groupBy(rows, ({ table_id, slot }) => slotKeyOf({ tableId: table_id, slot }))
  return new Map(
    [...bySlot].map(([key, replicas]) => [
      key,
      {
        epoch: replicas[0]?.epoch ?? 0,
        replicas: replicas.flatMap(({ shard, incarnation, state }) =>
          shard === null ? [] : [{ shard, incarnation, state }],
        ),
      },
    ]),
  )
}

/** Makes the placement of these slots what `after` says. */
export async function writePlacedSlots(query: Query, changes: readonly SlotChange[]): Promise<void> {
  const rows = (of: 'before' | 'after') =>
    changes.flatMap((change) => change[of].replicas.map((replica) => ({ ...replica, ...keyOf(change) })))
  const after = rows('after')
  const gone = rows('before').filter(
    (old) =>
      !after.some((one) => one.tableId === old.tableId && one.slot === old.slot && one.shard === old.shard),
  )
  if (gone.length > 0)
    await query(
      `DELETE FROM $schema.replica AS replica USING unnest($1::bigint[], $2::int[], $3::int[]) AS given (table_id, slot, shard)
       WHERE replica.table_id = given.table_id AND replica.slot = given.slot AND replica.shard = given.shard`,
      [gone.map(({ tableId }) => tableId), gone.map(({ slot }) => slot), gone.map(({ shard }) => shard)],
    )
  if (after.length > 0)
    await query(
      `INSERT INTO $schema.replica (table_id, slot, shard, incarnation, state)
       SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::text[])
       ON CONFLICT (table_id, slot, shard) DO UPDATE SET incarnation = excluded.incarnation, state = excluded.state`,
      [
        after.map(({ tableId }) => tableId),
        after.map(({ slot }) => slot),
        after.map(({ shard }) => shard),
        after.map(({ incarnation }) => incarnation),
        after.map(({ state }) => state),
      ],
    )
  const raised = changes.filter(({ before, after: { epoch } }) => epoch !== before.epoch)
  if (raised.length > 0)
    await query(
      `UPDATE $schema.slot SET epoch = given.epoch
       FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS given (table_id, slot, epoch)
       WHERE slot.table_id = given.table_id AND slot.slot = given.slot`,
      [
        raised.map(({ tableId }) => tableId),
        raised.map(({ slot }) => slot),
        raised.map(({ after: { epoch } }) => epoch),
      ],
    )
}

const keyOf = ({ tableId, slot }: SlotKey): SlotKey => ({ tableId, slot })
