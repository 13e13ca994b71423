import { encodeEventId } from '@truenow/contracts/event-id.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { EventValue } from './check-value.ts'
import type { EventColumn, EventSchema } from './event-schema.ts'

type Rows = ReadonlyArray<readonly EventValue[]>

/** Turns checked rows into columns in block order. Shapes: each row has the schema's columns. Cost: O(rows × columns). */
export function buildColumns(schema: EventSchema, rows: Rows): Column[] {
  return schema.columns.map((column) => buildColumn(column, rows))
}

function buildColumn({ kind, index }: EventColumn, rows: Rows): Column {
  if (kind === 'id') return idColumn(index, rows)
  const validity = validityOf(index, rows)
  const withNulls = validity === undefined ? {} : { validity }
  if (kind === 'string') return { ...stringColumn(index, rows, validity !== undefined), ...withNulls }
  if (kind === 'bool') {
    const values = new Uint8Array(rows.length)
    for (let row = 0; row < rows.length; row++) values[row] = rows[row]![index] === true ? 1 : 0
    return { type: 'bool', values, ...withNulls }
  }
  const values = new Float64Array(rows.length)
  for (let row = 0; row < rows.length; row++) values[row] = (rows[row]![index] ?? 0) as number
  return { type: kind === 'time' ? 'timestamp' : kind, values, ...withNulls }
}

function idColumn(index: number, rows: Rows): Column {
  const values = new Uint8Array(rows.length * 16)
  for (let row = 0; row < rows.length; row++) encodeEventId(rows[row]![index] as string, values, row * 16)
  return { type: 'id128', values }
}

/** Texts in the order of their first row; where there are nulls the empty text comes first, for code 0 stands under each. */
function stringColumn(index: number, rows: Rows, nulls: boolean): Extract<Column, { type: 'string' }> {
  const codeOf = new Map<string, number>(nulls ? [['', 0]] : [])
  const codes = new Uint32Array(rows.length)
  let last = ''
  let code: number | undefined
  for (let row = 0; row < rows.length; row++) {
    const text = (rows[row]![index] ?? '') as string
    if (code === undefined || text !== last) {
      code = codeOf.get(text)
      if (code === undefined) {
        code = codeOf.size
        codeOf.set(text, code)
      }
      last = text
    }
    codes[row] = code
  }
  return { type: 'string', codes, dictionary: [...codeOf.keys()] }
}

/** The bitmap of a column that holds a null; undefined = none does. */
function validityOf(index: number, rows: Rows): Uint8Array | undefined {
  if (!rows.some((values) => values[index] === null)) return undefined
  const validity = new Uint8Array(Math.ceil(rows.length / 8))
  for (let row = 0; row < rows.length; row++)
    if (rows[row]![index] !== null) validity[row >>> 3]! |= 1 << (row & 7)
  return validity
}
