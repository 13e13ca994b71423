import { decodeEventId } from '@truenow/contracts/event-id.ts'
import {
  type AggregateCall,
  AggregateFunction,
  type Plan,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Column, isValid, valueAt } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { aggregateColumnName, keyColumnName } from '@truenow/contracts/wire/partial-result-v1.ts'
import { rowColumnNames } from './newest-rows.ts'

export type FinalValue = string | number | boolean | bigint | null
export type Final = Readonly<{
  rowCount: number
  columnCount: number
  /** Group keys, then aggregates; or the asked columns. Ids are text, times µs, integer sums bigint. */
  value: (row: number, column: number) => FinalValue
  /** Columns in which a sum or mean left the range of its type: it is null there. */
  overflowed: ReadonlySet<number>
}>

const INT64_MAX = 2n ** 63n - 1n
const INT64_MIN = -(2n ** 63n)

/**
 * Turns a merged partial result into final values. Over no values SUM, MIN, MAX and AVG are null, COUNT is 0. A sum beyond
 * int64, or a float sum that is not finite, is null and its column is in `overflowed`.
 */
export function finalizePartial(plan: Plan, definition: TableDefinition, batch: ColumnBatch): Final {
  const byName = new Map(batch.columns.map(({ name, column }) => [name, column]))
  const need = (name: string): Column => {
    const column = byName.get(name)
    if (column === undefined) throw new TypeError(`partial result without ${name}`)
    return column
  }
  const overflowed = new Set<number>()
  const readers = readersOf(plan, definition, need, overflowed)
  const rows = Array.from({ length: batch.rowCount }, (_, row) => readers.map((read) => read(row)))
  return {
    rowCount: batch.rowCount,
    columnCount: readers.length,
    value: (row, column) => rows[row]?.[column] ?? null,
    overflowed,
  }
}

type Read = (row: number) => FinalValue

function readersOf(
  plan: Plan,
  definition: TableDefinition,
  need: (name: string) => Column,
  overflowed: Set<number>,
): Read[] {
  if (plan.shape.case === 'rows') {
    return rowColumnNames(plan.shape.value, definition).map((name) => readerOf(need(name)))
  }
  if (plan.shape.case !== 'aggregate') throw new TypeError('a plan without a shape')
  const { keys, aggregates } = plan.shape.value
  const keyReaders = keys.map((_, index) => readerOf(need(keyColumnName(index))))
  const calls = aggregates.map((call, index) =>
    aggregateReader(
      call,
      (part) => need(aggregateColumnName(index, part)),
      () => overflowed.add(keys.length + index),
    ),
  )
  return [...keyReaders, ...calls]
}

function readerOf(column: Column): Read {
  if (column.type === 'id128') {
    return (row) => (isValid(column, row) ? decodeEventId(column.values, row * 16) : null)
  }
  return (row) => valueAt(column, row)
}

function aggregateReader(
  { function: aggregate }: AggregateCall,
  state: (part: 'count' | 'sum' | 'compensation' | 'value') => Column,
  overflow: () => void,
): Read {
  if (aggregate === AggregateFunction.COUNT) return readerOf(state('count'))
  if (aggregate === AggregateFunction.MIN || aggregate === AggregateFunction.MAX)
    return readerOf(state('value'))
  const mean = aggregate === AggregateFunction.AVG
  const [sums, counts] = [state('sum'), state('count')]
  const compensations = sums.type === 'float64' ? state('compensation') : undefined
  return (row) => {
    const count = Number(valueAt(counts, row))
    if (count === 0) return null
    if (sums.type === 'int128') {
      const sum = sums.values[row] ?? 0n
      if (mean) return meanOf(sum, count)
      if (sum <= INT64_MAX && sum >= INT64_MIN) return sum
      overflow()
      return null
    }
    const sum =
      Number(valueAt(sums, row)) + Number(compensations === undefined ? 0 : valueAt(compensations, row))
    const value = mean ? sum / count : sum
    if (Number.isFinite(value)) return value
    overflow()
    return null
  }
}

/** An exact sum divided once: the integer part apart, so that a large sum loses nothing before the division. */
function meanOf(sum: bigint, count: number): number {
  const divisor = BigInt(count)
  return Number(sum / divisor) + Number(sum % divisor) / count
}
