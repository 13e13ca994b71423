import { create } from '@bufbuild/protobuf'
import type { Query } from '@truenow/chassis/postgres-port.ts'
import { type CatalogSnapshot, CatalogSnapshotSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { drainedShards } from './drained-shards.ts'

export const REPLICA_STATES = {
  joining: ReplicaState.JOINING,
  serving: ReplicaState.SERVING,
  leaving: ReplicaState.LEAVING,
} as const
type ReplicaStateName = keyof typeof REPLICA_STATES

/** Namespace and name of a table, from its versions as watchers get them. */
export const nameOf = ([first = '{}']: readonly string[]): Readonly<{ namespace: string; name: string }> =>
  JSON.parse(first)

/** Reads what every watcher sees: live tables only. `query` belongs to a transaction, so all of it is one revision. */
export async function readCatalog(query: Query): Promise<CatalogSnapshot> {
  const [catalog] = await query<{
    catalog_id: string
    revision: number
    replication_factor: number
    shards: number
    drained_shards: string | null
  }>('SELECT catalog_id, revision, replication_factor, shards, drained_shards FROM $schema.catalog')
  return create(CatalogSnapshotSchema, {
    revision: BigInt(catalog?.revision ?? 0),
    catalogId: catalog?.catalog_id ?? '',
    replicationFactor: catalog?.replication_factor ?? 0,
    shardCount: catalog?.shards ?? 0,
    drainedShards: catalog === undefined ? [] : drainedShards(catalog),
    tables: await readTables(query),
    shards: await readShards(query),
  })
}

async function readTables(query: Query) {
  const tables = await query<{ table_id: number; topic: string; uid: string; generation: number }>(
    `SELECT table_id, topic, uid, generation FROM $schema.table_entry
     WHERE state = 'live' ORDER BY namespace, name`,
  )
  const versions = await query<{ table_id: number; definition: string }>(
    'SELECT table_id, definition FROM $schema.table_version ORDER BY table_id, version',
  )
  const slots = await query<{ table_id: number; slot: number; epoch: number }>(
    'SELECT table_id, slot, epoch FROM $schema.slot ORDER BY table_id, slot',
  )
  const replicas = await query<{
    table_id: number
    slot: number
    shard: number
    incarnation: number
    state: ReplicaStateName
  }>('SELECT table_id, slot, shard, incarnation, state FROM $schema.replica ORDER BY table_id, slot, shard')
  const versionsOf = Map.groupBy(versions, (row) => row.table_id)
  const slotsOf = Map.groupBy(slots, (row) => row.table_id)
  const replicasOf = Map.groupBy(replicas, (row) => `${row.table_id}/${row.slot}`)
  return tables.map(({ table_id, topic, uid, generation }) => ({
    topic,
    uid,
    generation: BigInt(generation),
    versionsJson: (versionsOf.get(table_id) ?? []).map(({ definition }) => definition),
    slots: (slotsOf.get(table_id) ?? []).map(({ slot, epoch }) => ({
      slot,
      epoch: BigInt(epoch),
      replicas: (replicasOf.get(`${table_id}/${slot}`) ?? []).map(({ shard, incarnation, state }) => ({
        shard,
        incarnation: BigInt(incarnation),
        state: REPLICA_STATES[state],
      })),
    })),
  }))
}

async function readShards(query: Query) {
  const rows = await query<{
    shard: number
    incarnation: number
    address: string
    reported_at_us: number | null
  }>(
    `SELECT shard.shard, incarnation, address, reported_at_us
     FROM $schema.shard AS shard LEFT JOIN $schema.shard_report AS report USING (shard) ORDER BY shard.shard`,
  )
  return rows.map(({ shard, incarnation, address, reported_at_us }) => ({
    shard,
    incarnation: BigInt(incarnation),
    address,
    reportedAtUs: BigInt(reported_at_us ?? 0),
  }))
}
