import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type DeleteTableRequest,
  type DeleteTableResponse,
  DeleteTableResponseSchema,
  DeletionPolicy,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { endMoves } from './cancel-moves.ts'
import { requireLeaderIfAny } from './grant-leader.ts'
import { readOpenMoves } from './move-rows.ts'
import type { Parts } from './parts.ts'
import { readTableRow, type TableRow } from './table-row.ts'

/**
 * Catalog.DeleteTable. Delete marks the table first, so that watchers let go of it, then removes the topic, then the
 * entry: cut off anywhere, the repetition goes on from there. An object that does not hold the name ends nothing.
 */
export async function deleteTable(parts: Parts, request: DeleteTableRequest): Promise<DeleteTableResponse> {
  const { store, follower, clock } = parts
  const { table, uid, policy } = request
  if (table === undefined || policy === DeletionPolicy.UNSPECIFIED) {
    throw new TrueNowError(
      'TN_REQUEST_INVALID',
      'DeleteTable needs `table` and a `policy` (RETAIN or DELETE).',
    )
  }
  const subject = `${table.namespace}.${table.name}`
  const found = await store.change(uid, async (change) => {
    const { query, touch, audit } = change
    await requireLeaderIfAny(change, request.leaderEpoch)
    const row = await readTableRow(query, table.namespace, table.name)
    if (row === undefined || row.uid !== uid || row.state !== 'live') return row
    const state = policy === DeletionPolicy.DELETE ? 'deleting' : 'retained'
    const moves = (await readOpenMoves(query)).filter(({ tableId }) => tableId === row.tableId)
    await endMoves(change, moves, clock.nowUs(), 'forget')
    await query('UPDATE $schema.table_entry SET state = $2 WHERE table_id = $1', [row.tableId, state])
    touch()
    audit(state === 'deleting' ? 'delete-table' : 'retain-table', subject, row.topic)
    return { ...row, state } as const
  })
  await follower.refresh()
  return create(DeleteTableResponseSchema, { kept: await finish(parts, found, uid, subject) })
}

async function finish(
  parts: Parts,
  row: TableRow | undefined,
  uid: string,
  subject: string,
): Promise<string[]> {
  if (row === undefined) return []
  if (row.state === 'deleting') {
    await finishDeletion(parts, row)
    return []
  }
  if (row.uid !== uid) return [`table ${subject}, which belongs to another Table object (uid ${row.uid})`]
  return keptOfTable(row, parts.store.schema)
}

/** What a retained table leaves behind, in words for an Event. */
export function keptOfTable({ topic, newest }: TableRow, schema: string): string[] {
  return [
    `topic ${topic} (${newest.slots} partitions)`,
    `catalog of table ${newest.namespace}.${newest.name} (PostgreSQL schema ${schema})`,
    `snapshots of table ${newest.namespace}.${newest.name} on the shards' volumes`,
  ]
}

/** Removes topic and entry of a table that is marked `deleting`. Idempotent. */
export async function finishDeletion({ store, kafka }: Parts, row: TableRow): Promise<void> {
  const marked = await store.query(
    "SELECT table_id FROM $schema.table_entry WHERE table_id = $1 AND state = 'deleting'",
    [row.tableId],
  )
  // Somebody else has finished it, and the topic of that name may be another table's by now.
  if (marked.length === 0) return
  await kafka.deleteTopic(row.topic)
  await store.query("DELETE FROM $schema.table_entry WHERE table_id = $1 AND state = 'deleting'", [
    row.tableId,
  ])
}
