import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type DeleteClusterRequest,
  type DeleteClusterResponse,
  DeleteClusterResponseSchema,
  DeletionPolicy,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { endMoves } from './cancel-moves.ts'
import { isCatalogGone } from './catalog-store.ts'
import { keptOfTable } from './delete-table.ts'
import { requireLeaderIfAny } from './grant-leader.ts'
import { quoteSchema } from './migrate.ts'
import { readOpenMoves } from './move-rows.ts'
import type { Parts } from './parts.ts'
import { readTableRow, type TableRow } from './table-row.ts'

/** Catalog.DeleteCluster. Delete takes topics first and the schema last, so that a repetition still knows what is left. */
export async function deleteCluster(
  parts: Parts,
  request: DeleteClusterRequest,
): Promise<DeleteClusterResponse> {
  const { policy } = request
  if (policy === DeletionPolicy.UNSPECIFIED) {
    throw new TrueNowError('TN_REQUEST_INVALID', 'DeleteCluster needs a `policy` (RETAIN or DELETE).')
  }
  try {
    const kept =
      policy === DeletionPolicy.DELETE ? await removeAll(parts, request) : await retainAll(parts, request)
    return create(DeleteClusterResponseSchema, { kept })
  } catch (error) {
    if (isCatalogGone(error)) return create(DeleteClusterResponseSchema, {})
    throw error
  } finally {
    await parts.follower.refresh()
  }
}

function retainAll({ store, clock }: Parts, { uid, leaderEpoch }: DeleteClusterRequest): Promise<string[]> {
  return store.change(uid, async (change) => {
    const { query, catalog, touch, audit } = change
    await requireLeaderIfAny(change, leaderEpoch)
    if (catalog.cluster_uid !== null && catalog.cluster_uid !== uid)
      return [foreignCluster(catalog.cluster_uid)]
    await endMoves(change, await readOpenMoves(query), clock.nowUs(), 'forget')
    await query("UPDATE $schema.table_entry SET state = 'retained' WHERE state = 'live'")
    if (catalog.cluster_uid !== null) {
      catalog.cluster_uid = null
      catalog.cluster_generation = 0
      touch()
      audit('retain-cluster', 'cluster', '')
    }
    const rows = await allTables(query)
    return [
      ...rows.filter(({ state }) => state === 'retained').flatMap((row) => keptOfTable(row, store.schema)),
      `catalog (PostgreSQL schema ${store.schema})`,
    ]
  })
}

async function removeAll(
  { store, kafka }: Parts,
  { uid, leaderEpoch }: DeleteClusterRequest,
): Promise<string[]> {
  const rows = await store.change(uid, async (change) => {
    const { query, catalog, touch, audit } = change
    await requireLeaderIfAny(change, leaderEpoch)
    const known = await allTables(query)
    // Nobody holds the catalog: what an earlier cluster retained is not this one's to delete.
    const free = catalog.cluster_uid === null && known.length === 0
    if (catalog.cluster_uid !== uid && !free) return foreignCluster(catalog.cluster_uid)
    await query("UPDATE $schema.table_entry SET state = 'deleting'")
    touch()
    audit('delete-cluster', 'cluster', known.map(({ topic }) => topic).join(' '))
    return known
  })
  if (typeof rows === 'string') return [rows]
  for (const { topic } of rows) await kafka.deleteTopic(topic)
  await store.postgres.query(`DROP SCHEMA IF EXISTS ${quoteSchema(store.schema)} CASCADE`)
  return []
}

async function allTables(query: Parameters<typeof readTableRow>[0]): Promise<TableRow[]> {
  const names = await query<{ namespace: string; name: string }>(
    'SELECT namespace, name FROM $schema.table_entry ORDER BY namespace, name',
  )
  const rows: TableRow[] = []
  for (const { namespace, name } of names) {
    const row = await readTableRow(query, namespace, name)
    if (row !== undefined) rows.push(row)
  }
  return rows
}

function foreignCluster(uid: string | null): string {
  return uid === null
    ? 'catalog and topics, which an earlier cluster object retained'
    : `catalog and topics, which belong to another cluster object (uid ${uid})`
}
