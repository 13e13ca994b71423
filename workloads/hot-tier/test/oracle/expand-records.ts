import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { LogRow } from '@truenow/kernels/replica/testing/encode-rows.ts'
import type { ColumnShape, DrawnRecord, DrawnRow, OracleTable } from './arbitrary-table.ts'

export type OracleRecord = Readonly<{
  slot: number
  offset: number
  appendTimeUs: number
  definition: TableDefinition
  rows: readonly LogRow[]
}>

/** The log of a table with all its rows: what is drawn stays small enough to be read and shrunk. */
export function expandRecords({ records, versions, shapes, copies }: OracleTable): OracleRecord[] {
  return records.map(({ rows, version, ...record }: DrawnRecord): OracleRecord => {
    const definition = versions[version]!
    const all = rows.flatMap((row) =>
      Array.from({ length: copies }, (_, copy) =>
        rowOf(row, copy, record.appendTimeUs, shapes.slice(0, definition.columns.length)),
      ),
    )
    return { ...record, definition, rows: all }
  })
}

function rowOf(row: DrawnRow, copy: number, nowUs: number, shapes: readonly ColumnShape[]): LogRow {
  const values = shapes.map(({ type, style }, at) => {
    const cell = row.cells[at] ?? null
    if (copy === 0 || style !== 'many' || cell === null) return cell
    return type === 'string' ? `${cell}/${copy}` : typeof cell === 'number' ? cell + copy : cell
  })
  return {
    id: copy === 0 ? row.id : `${row.id.slice(0, 10)}~${copy}`,
    timeUs: nowUs - row.lagUs - copy * 1_009,
    values,
  }
}
