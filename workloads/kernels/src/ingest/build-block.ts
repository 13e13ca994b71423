import { encodeEventId } from '@truenow/contracts/event-id.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { EventValue } from './check-value.ts'
import type { EventColumn, EventSchema } from './event-schema.ts'

/** Turns checked rows into one block. Shapes: each row has the schema's columns in order. Cost: O(rows × columns). */
export function buildBlock(schema: EventSchema, rows: ReadonlyArray<readonly EventValue[]>): Buffer {
  const columns = schema.columns.map((column) => buildColumn(column, rows))
  return encodeBlock(schema.definition.version, rows.length, columns)
}

function buildColumn({ kind, index }: EventColumn, rows: ReadonlyArray<readonly EventValue[]>): Column {
  const rowCount = rows.length
  const at = (row: number): EventValue => rows[row]![index]!
  if (kind === 'id') {
    const values = new Uint8Array(rowCount * 16)
    for (let row = 0; row < rowCount; row++) encodeEventId(String(at(row)), values, row * 16)
    return { type: 'id128', values }
  }
  const validity = validityOf(index, rows)
  const withValidity = <C extends Column>(column: C): C =>
    validity === undefined ? column : { ...column, validity }
  if (kind === 'string') {
    const codeOf = new Map<string, number>()
    const codes = new Uint32Array(rowCount)
    for (let row = 0; row < rowCount; row++) {
      const text = String(at(row) ?? '')
      let code = codeOf.get(text)
      if (code === undefined) {
        code = codeOf.size
        codeOf.set(text, code)
      }
      codes[row] = code
    }
    return withValidity({ type: 'string', codes, dictionary: [...codeOf.keys()] })
  }
  if (kind === 'bool') {
    return withValidity({
      type: 'bool',
      values: Uint8Array.from({ length: rowCount }, (_, row) => (at(row) === true ? 1 : 0)),
    })
  }
  const values = new Float64Array(rowCount)
  for (let row = 0; row < rowCount; row++) values[row] = Number(at(row) ?? 0)
  return withValidity({ type: kind === 'time' ? 'timestamp' : kind, values })
}

/** The bitmap of a column that holds a null; undefined = none does. */
function validityOf(index: number, rows: ReadonlyArray<readonly EventValue[]>): Uint8Array | undefined {
  if (!rows.some((values) => values[index] === null)) return undefined
  const validity = new Uint8Array(Math.ceil(rows.length / 8))
  for (let row = 0; row < rows.length; row++)
    if (rows[row]![index] !== null) validity[row >>> 3]! |= 1 << (row & 7)
  return validity
}

/** Bytes that a row takes in a block, about: for budgets. */
export function rowBytes(schema: EventSchema, values: readonly EventValue[]): number {
  let bytes = schema.rowBytesMax
  for (const value of values) if (typeof value === 'string') bytes += value.length
  return bytes
}
