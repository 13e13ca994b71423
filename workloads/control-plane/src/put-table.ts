import { create } from '@bufbuild/protobuf'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type CatalogSnapshot,
  type PutTableRequest,
  type PutTableResponse,
  PutTableResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { TOPIC_NAME_LENGTH_MAX, topicName } from '@truenow/contracts/topics.ts'
import type { CatalogRow, Change } from './catalog-store.ts'
import { decidePut, type PutDecision } from './decide-put.ts'
import { finishDeletion } from './delete-table.ts'
import { refuseStaleLeader, requireLeaderIfAny } from './grant-leader.ts'
import type { Parts } from './parts.ts'
import { placeTable } from './place-table.ts'
import { silentShards } from './silent-shards.ts'
import { parseTableDeclaration, type TableDeclaration } from './table-declaration.ts'
import { readTableRow, type TableRow } from './table-row.ts'
import { tableTopic, topicDrift } from './table-topic.ts'

/** Versions that one table may have: all of them travel in every snapshot, because blocks of each may be in the log. */
export const TABLE_VERSIONS_MAX = 1_000

type Claim = Readonly<{ uid: string; generation: number; declared: TableDeclaration; topic: string }>
type Allowed = Exclude<PutDecision, { kind: 'refuse' }>

/**
 * Catalog.PutTable. The topic comes first and the catalog's entry after it, so that no watcher learns of a table without a
 * log; a crash between the two leaves an empty topic, which the repetition takes.
 */
export async function putTable(parts: Parts, request: PutTableRequest): Promise<PutTableResponse> {
  const { store, follower, kafka, identity, clock } = parts
  const declared = parseTableDeclaration(request.definitionJson)
  const topic = topicName(identity, declared.namespace, declared.name)
  if (topic.length > TOPIC_NAME_LENGTH_MAX) {
    const message = `The topic of the table would be '${topic}', ${topic.length} characters, but Kafka allows ${TOPIC_NAME_LENGTH_MAX}; use shorter names.`
    throw new TrueNowError('TN_TABLE_INVALID', message)
  }
  await refuseStaleLeader(store, request.leaderEpoch)
  const claim = { uid: request.uid, generation: Number(request.generation), declared, topic }

  const held = await heldUnderName(parts, declared)
  const first = allowed(held, claim)
  const settings = await clusterSettings(parts)
  const drift = await checkTopic(kafka, claim, first, settings)
  const done = await store.change(claim.uid, async (change) => {
    await requireLeaderIfAny(change, request.leaderEpoch)
    const row = await readTableRow(change.query, declared.namespace, declared.name)
    const decision = allowed(row, claim)
    if (row !== undefined) await writeHeld(change, row, claim, decision)
    else await writeNew(change, claim, decision)
    const touched = row === undefined || decision.kind !== 'keep'
    return {
      version: decision.definition.version,
      revision: change.catalog.revision + (touched ? 1 : 0),
      adopted: decision.kind === 'adopt' || (row?.adopted ?? false),
    }
  })
  await follower.refresh()
  const silent = await silentShards(store.query, clock.nowUs())
  return create(PutTableResponseSchema, {
    revision: BigInt(done.revision),
    version: done.version,
    topic,
    slots: declared.slots,
    slotsReady: slotsReady(follower.current(), topic, silent),
    topicDrift: drift,
    adopted: done.adopted,
  })
}

/** Slots served at full replication by shards that are heard of; what a move adds or takes away beside them does not count. */
export function slotsReady(
  catalog: CatalogSnapshot | undefined,
  topic: string,
  silent: readonly number[],
): number {
  const table = catalog?.tables.find((entry) => entry.topic === topic)
  return (table?.slots ?? []).filter(
    ({ replicas }) =>
      replicas.filter(({ state, shard }) => state === ReplicaState.SERVING && !silent.includes(shard))
        .length >= Math.max(1, catalog?.replicationFactor ?? 0),
  ).length
}

/** A deletion that was cut off is finished first: the name is free only when its topic is gone. */
async function heldUnderName(
  parts: Parts,
  { namespace, name }: TableDeclaration,
): Promise<TableRow | undefined> {
  const row = await readTableRow(parts.store.query, namespace, name)
  if (row?.state !== 'deleting') return row
  await finishDeletion(parts, row)
  return undefined
}

function allowed(row: TableRow | undefined, claim: Claim): Allowed {
  if (row?.state === 'deleting') {
    throw new TrueNowError(
      'TN_CATALOG_UNAVAILABLE',
      `Table ${claim.topic} is being deleted; ask again in a moment.`,
    )
  }
  const held = row === undefined ? undefined : { ...row, state: row.state }
  const decision = decidePut(held, claim)
  if (decision.kind === 'refuse') {
    throw new TrueNowError(decision.code, decision.message, { details: decision.details })
  }
  if (decision.definition.version > TABLE_VERSIONS_MAX) {
    const message = `The table has had ${TABLE_VERSIONS_MAX} versions (TABLE_VERSIONS_MAX); make another table.`
    throw new TrueNowError('TN_TABLE_INVALID', message)
  }
  return decision
}

async function clusterSettings({ store }: Parts): Promise<CatalogRow> {
  const [catalog] = await store.query<CatalogRow>('SELECT * FROM $schema.catalog')
  if (catalog === undefined || catalog.cluster_uid === null) {
    throw new TrueNowError(
      'TN_CATALOG_UNAVAILABLE',
      'No cluster is declared yet; PutCluster comes before PutTable.',
    )
  }
  return catalog
}

/** Creates the topic of a new table and says how that of a known one differs from what it must be. */
async function checkTopic(
  kafka: KafkaPort,
  { topic }: Claim,
  decision: Allowed,
  settings: CatalogRow,
): Promise<string[]> {
  const needed = tableTopic(decision.definition, {
    replicationFactor: settings.topic_replication_factor,
    minInsyncReplicas: settings.topic_min_insync_replicas,
  })
  let created = false
  // A table that is known and whose topic is away has lost its rows: made anew it would look healthy.
  if (decision.kind === 'create') created = await kafka.createTopic(topic, needed)
  const found = await kafka.describeTopic(topic)
  if (found === undefined) {
    if (created)
      throw new TrueNowError('TN_KAFKA_UNAVAILABLE', `Topic ${topic} was created but is not visible yet.`)
    return [
      `the topic ${topic} is not there and its rows are lost; restore it, or delete the Table and declare it anew`,
    ]
  }
  if (decision.kind === 'create' && !created)
    await refuseUsedTopic(kafka, topic, found.partitions, needed.partitions)
  return topicDrift(needed, found)
}

/** A topic that holds records of a table this catalog does not know cannot be read: their versions have no definition. */
async function refuseUsedTopic(
  kafka: KafkaPort,
  topic: string,
  partitions: number,
  slots: number,
): Promise<void> {
  const conflict = (what: string) => {
    const message = `AdoptionConflict: topic ${topic} is already there and ${what}; delete it, or restore the catalog it belongs to.`
    return new TrueNowError('TN_TABLE_CONFLICT', message, { details: { reason: 'AdoptionConflict' } })
  }
  if (partitions !== slots) throw conflict(`has ${partitions} partitions, but the table has ${slots} slots`)
  for (let partition = 0; partition < partitions; partition++) {
    const { endOffset } = await kafka.offsetRange(topic, partition)
    if (endOffset > 0) throw conflict('holds records of a table that this catalog does not know')
  }
}

async function writeNew(
  change: Change,
  { uid, generation, declared, topic }: Claim,
  decision: Allowed,
): Promise<void> {
  const { namespace, name, slots } = declared
  const [row] = await change.query<{ table_id: number }>(
    `INSERT INTO $schema.table_entry (namespace, name, uid, generation, topic, state)
     VALUES ($1, $2, $3, $4, $5, 'live') RETURNING table_id`,
    [namespace, name, uid, generation, topic],
  )
  if (row === undefined) throw new TrueNowError('TN_INTERNAL', 'INSERT … RETURNING returned no row.')
  await writeVersion(change, row.table_id, decision.definition)
  await placeTable(change, row.table_id, slots)
  change.touch()
  change.audit('create-table', `${namespace}.${name}`, JSON.stringify(decision.definition))
}

async function writeHeld(change: Change, row: TableRow, claim: Claim, decision: Allowed): Promise<void> {
  const { uid, generation, declared } = claim
  const adopt = decision.kind === 'adopt'
  if (decision.kind === 'create')
    throw new TrueNowError('TN_INTERNAL', 'A table that is there was to be created.')
  if (decision.definition.version !== row.newest.version) {
    await writeVersion(change, row.tableId, decision.definition)
  }
  if (adopt) await placeTable(change, row.tableId, declared.slots)
  if (decision.kind !== 'keep' || generation !== row.generation) {
    await change.query(
      `UPDATE $schema.table_entry SET uid = $2, generation = $3, state = 'live', adopted = adopted OR $4
       WHERE table_id = $1`,
      [row.tableId, uid, generation, adopt],
    )
  }
  if (decision.kind === 'keep') return
  change.touch()
  const subject = `${declared.namespace}.${declared.name}`
  change.audit(adopt ? 'adopt-table' : 'change-table', subject, decision.changes.join('; '))
}

async function writeVersion({ query }: Change, tableId: number, definition: TableDefinition): Promise<void> {
  await query('INSERT INTO $schema.table_version (table_id, version, definition) VALUES ($1, $2, $3)', [
    tableId,
    definition.version,
    JSON.stringify(definition),
  ])
}
