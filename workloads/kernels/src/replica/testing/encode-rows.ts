import { encodeEventId } from '@truenow/contracts/event-id.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'

export type LogRow = Readonly<{
  id: string
  timeUs: number
  values: ReadonlyArray<string | number | boolean | null>
}>

/** Rows as a block of the given table version; a row has a cell for each of its columns. */
export function encodeRows(rows: readonly LogRow[], definition: TableDefinition): Buffer {
  const ids = new Uint8Array(rows.length * 16)
  for (const [row, { id }] of rows.entries()) encodeEventId(id, ids, row * 16)
  const times = Float64Array.from(rows, ({ timeUs }) => timeUs)
  const own = definition.columns.map(({ type }, index): Column => {
    const cells = rows.map(({ values }) => values[index] ?? null)
    const validity = new Uint8Array(Math.ceil(rows.length / 8))
    for (const [row, cell] of cells.entries()) if (cell !== null) validity[row >>> 3]! |= 1 << (row & 7)
    const nulls = cells.includes(null) ? { validity } : {}
    if (type === 'string') {
      const dictionary = [...new Set(cells.map((cell) => String(cell ?? '')))]
      const codeOf = new Map(dictionary.map((text, code) => [text, code]))
      const codes = Uint32Array.from(cells, (cell) => codeOf.get(String(cell ?? ''))!)
      return { type, dictionary, codes, ...nulls }
    }
    if (type === 'bool') return { type, values: Uint8Array.from(cells, Number), ...nulls }
    return { type, values: Float64Array.from(cells, Number), ...nulls }
  })
  const columns: Column[] = [{ type: 'id128', values: ids }, { type: 'timestamp', values: times }, ...own]
  return encodeBlock(definition.version, rows.length, columns)
}
