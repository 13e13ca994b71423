import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { aggregateColumnName, keyColumnName } from '@truenow/contracts/wire/partial-result-v1.ts'
import { aggregateReader, type FinalValue, type ReadFinal, readerOf } from './finalize-aggregate.ts'
import { rowColumnNames } from './newest-rows.ts'

export type Final = Readonly<{
  rowCount: number
  columnCount: number
  /** Group keys, then aggregates; or the asked columns. Ids are text, times µs, integer sums bigint. */
  value: (row: number, column: number) => FinalValue
  /** Columns in which a sum, mean or variance of those that were read left the range of its type: it is null there. */
  overflowed: ReadonlySet<number>
}>

/**
 * Turns a merged partial result into final values. Over no values COUNT is 0 and every other aggregate null. A sum beyond
 * int64, or a float sum or variance that is not finite, is null and its column is in `overflowed`. A value is made when it
 * is read.
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
  return {
    rowCount: batch.rowCount,
    columnCount: readers.length,
    value: (row, column) => readers[column]?.(row) ?? null,
    overflowed,
  }
}

function readersOf(
  plan: Plan,
  definition: TableDefinition,
  need: (name: string) => Column,
  overflowed: Set<number>,
): ReadFinal[] {
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
