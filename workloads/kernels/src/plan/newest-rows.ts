import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { RowsPlan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { ID_COLUMN_INDEX, type TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import {
  ROW_COLUMN_NAME,
  SLOT_COLUMN_NAME,
  TIME_COLUMN_NAME,
} from '@truenow/contracts/wire/partial-result-v1.ts'
import { columnOf } from '../aggregates/extreme.ts'
import { typeOf } from './group-table.ts'
import type { RowSource } from './row-source.ts'

type Row = Readonly<{ timeUs: number; slot: number; rowNumber: number; values: readonly unknown[] }>

/** Event time descending, then slot ascending, then log order descending: the one order of row answers. */
const newestFirst = (a: Row, b: Row): number =>
  b.timeUs - a.timeUs || a.slot - b.slot || b.rowNumber - a.rowNumber

/** Names of the asked columns in order; id and time first when all are asked. */
export function rowColumnNames(plan: RowsPlan, definition: TableDefinition): readonly string[] {
  if (plan.columns.length > 0) return plan.columns
  const own = definition.columns.map(({ name }) => name)
  return ID_COLUMN_INDEX === 0 ? [definition.idColumn, definition.timeColumn, ...own] : own
}

/**
 * The newest `limit` rows of what goes in. Holds at most twice the limit, whatever the number of rows.
 * Cost: O(rows log limit) in comparisons of times, values are read for rows that may stay only.
 */
export class NewestRows {
  private readonly names: readonly string[]
  private readonly definition: TableDefinition
  private readonly limit: number
  private rows: Row[] = []
  /** A row older than this cannot be among the newest any more. */
  private floorUs = Number.NEGATIVE_INFINITY

  constructor(plan: RowsPlan, definition: TableDefinition) {
    this.names = rowColumnNames(plan, definition)
    this.definition = definition
    this.limit = plan.limit
  }

  /** Whether rows at or below this time could still matter. */
  wants(timeUsMax: number): boolean {
    return timeUsMax >= this.floorUs
  }

  update(source: RowSource, rows: Uint32Array, count: number): void {
    const columns = this.names.map((name) => source.column(name))
    for (let index = 0; index < count; index++) {
      const row = rows[index]!
      const timeUs = source.times[row]!
      if (timeUs < this.floorUs) continue
      const values = columns.map((column) => (column === undefined ? undefined : scalarAt(column, row)))
      this.rows.push({ timeUs, slot: source.slot, rowNumber: source.rowNumbers[row]!, values })
      if (this.rows.length >= 2 * this.limit + 64) this.cut()
    }
    if (this.rows.length >= this.limit) this.cut() // So that the floor keeps older buckets from being read.
  }

  /** Adds a partial result of the same plan. Errors: TN_BLOCK_CORRUPT when it is not one. */
  merge(batch: ColumnBatch): void {
    const named = new Map(batch.columns.map(({ name, column }) => [name, column]))
    const need = (name: string): Column => {
      const column = named.get(name)
      if (column === undefined)
        throw new TrueNowError('TN_BLOCK_CORRUPT', `A partial result lacks the column ${name}.`)
      return column
    }
    const columns = this.names.map(need)
    const [slots, rowNumbers, times] = [SLOT_COLUMN_NAME, ROW_COLUMN_NAME, TIME_COLUMN_NAME].map(need)
    for (let row = 0; row < batch.rowCount; row++) {
      const values = columns.map((column) => scalarAt(column, row))
      const [slot, rowNumber, timeUs] = [slots, rowNumbers, times].map((column) =>
        Number(scalarAt(column!, row)),
      )
      this.rows.push({ timeUs: timeUs!, slot: slot!, rowNumber: rowNumber!, values })
    }
    this.cut()
  }

  batch(): ColumnBatch {
    this.cut()
    const { rows } = this
    const columns: NamedColumn[] = this.names.map((name, index) => {
      const values = rows.map((row) => row.values[index])
      if (name === this.definition.idColumn) return { name, column: idColumn(values as Uint8Array[]) }
      return {
        name,
        column: columnOf(typeOf(this.definition, name), values as (string | number)[], rows.length),
      }
    })
    const numbers = (name: string, of: (row: Row) => number): NamedColumn => ({
      name,
      column: { type: 'int64', values: Float64Array.from(rows, of) },
    })
    columns.push(numbers(SLOT_COLUMN_NAME, ({ slot }) => slot))
    columns.push(numbers(ROW_COLUMN_NAME, ({ rowNumber }) => rowNumber))
    columns.push({
      name: TIME_COLUMN_NAME,
      column: { type: 'timestamp', values: Float64Array.from(rows, ({ timeUs }) => timeUs) },
    })
    return { rowCount: rows.length, columns }
  }

  private cut(): void {
    this.rows.sort(newestFirst)
    if (this.rows.length > this.limit) this.rows.length = this.limit
    if (this.rows.length === this.limit) this.floorUs = this.rows.at(-1)?.timeUs ?? this.floorUs
  }
}

/** A value as rows carry it: ids as their 16 bytes, booleans as 0 and 1, null as undefined. */
function scalarAt(column: Column, row: number): unknown {
  if (!isValid(column, row)) return undefined
  if (column.type === 'string') return column.dictionary.at(column.codes[row]!)
  if (column.type === 'id128') return column.values.slice(row * 16, row * 16 + 16)
  return column.values.at(row)
}

function idColumn(ids: readonly Uint8Array[]): Column {
  const values = new Uint8Array(ids.length * 16)
  for (const [row, id] of ids.entries()) values.set(id, row * 16)
  return { type: 'id128', values }
}
