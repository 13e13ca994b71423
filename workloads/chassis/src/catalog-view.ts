import assert from 'node:assert/strict'
import type {
  CatalogSnapshot,
  SlotAssignment,
  TableEntry,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'

export type ReplicaView = Readonly<{ shard: number; incarnation: number; state: ReplicaState }>
export type SlotView = Readonly<{ slot: number; epoch: number; replicas: readonly ReplicaView[] }>
export type TableView = Readonly<{
  /** The newest version. */
  definition: TableDefinition
  /** Every version that may still stand in some slot's log, by number. */
  definitions: ReadonlyMap<number, TableDefinition>
  topic: string
  uid: string
  /** Sorted by slot; in a whole catalog `slots[n]` is slot n. */
  slots: readonly SlotView[]
}>
export type ShardView = Readonly<{ shard: number; incarnation: number; address: string }>

/** What a catalog says, as data that may cross to another thread. */
export type CatalogContent = Readonly<{
  revision: number
  catalogId: string
  replicationFactor: number
  tables: readonly TableView[]
  shards: readonly ShardView[]
}>

/** The catalog, indexed and frozen: what every role but its writer reads. */
export type CatalogView = Readonly<{
  revision: number
  catalogId: string
  replicationFactor: number
  table: (namespace: string, name: string) => TableView | undefined
  tables: () => readonly TableView[]
  shard: (ordinal: number) => ShardView | undefined
  shards: () => readonly ShardView[]
}>

/** Indexes a snapshot. Cost: O(tables × slots × replicas), once per revision. */
export function viewOfCatalog(snapshot: CatalogSnapshot): CatalogView {
  return indexCatalog({
    revision: Number(snapshot.revision),
    catalogId: snapshot.catalogId,
    replicationFactor: snapshot.replicationFactor,
    tables: snapshot.tables.map(tableView),
    shards: snapshot.shards.map(({ shard, incarnation, address }) => ({
      shard,
      incarnation: Number(incarnation),
      address,
    })),
  })
}

/** The view of content that was taken apart, as for another thread. Cost: O(tables + shards). */
export function indexCatalog({ tables, shards, ...rest }: CatalogContent): CatalogView {
  const byName = new Map(
    tables.map((table) => [`${table.definition.namespace}.${table.definition.name}`, table]),
  )
  const byOrdinal = new Map(shards.map((shard) => [shard.shard, shard]))
  return Object.freeze({
    ...rest,
    table: (namespace: string, name: string) => byName.get(`${namespace}.${name}`),
    tables: () => tables,
    shard: (ordinal: number) => byOrdinal.get(ordinal),
    shards: () => shards,
  })
}

function tableView(entry: TableEntry): TableView {
  const definitions = entry.versionsJson.map((json) => JSON.parse(json) as TableDefinition)
  const definition = definitions.at(-1)
  assert(definition !== undefined, `the catalog's entry for topic ${entry.topic} has no version`)
  return {
    definition,
    definitions: new Map(definitions.map((version) => [version.version, version])),
    topic: entry.topic,
    uid: entry.uid,
    slots: entry.slots.map(slotView).toSorted((a, b) => a.slot - b.slot),
  }
}

const slotView = ({ slot, epoch, replicas }: SlotAssignment): SlotView => ({
  slot,
  epoch: Number(epoch),
  replicas: replicas.map(({ shard, incarnation, state }) => ({
    shard,
    incarnation: Number(incarnation),
    state,
  })),
})
