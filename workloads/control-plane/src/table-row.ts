import type { Query } from '@truenow/chassis/postgres-port.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'

export type TableRow = Readonly<{
  tableId: number
  uid: string
  generation: number
  topic: string
  state: 'live' | 'retained' | 'deleting'
  adopted: boolean
  newest: TableDefinition
}>

/** The catalog's entry under an identity, in whatever state, with its newest definition. */
export async function readTableRow(
  query: Query,
  namespace: string,
  name: string,
): Promise<TableRow | undefined> {
  const [row] = await query<{
    table_id: number
    uid: string
    generation: number
    topic: string
    state: TableRow['state']
    adopted: boolean
    definition: string
  }>(
    `SELECT table_id, uid, generation, topic, state, adopted, definition
     FROM $schema.table_entry JOIN $schema.table_version USING (table_id)
     WHERE namespace = $1 AND name = $2 ORDER BY version DESC LIMIT 1`,
    [namespace, name],
  )
  if (row === undefined) return undefined
  const { table_id, definition, ...rest } = row
  return { ...rest, tableId: table_id, newest: JSON.parse(definition) as TableDefinition }
}
