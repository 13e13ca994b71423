import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { aggregateColumnName, keyColumnName } from '@truenow/contracts/wire/partial-result-v1.ts'
import { pickRows } from '../columns/pick-rows.ts'
import { compareValues } from '../query/compare-values.ts'
import { aggregateReader, type ReadFinal, readerOf } from './finalize-aggregate.ts'

type Order = Readonly<{ read: ReadFinal; descending: boolean }>
type Precedes = (left: number, right: number) => boolean

/**
 * The groups of a whole partial result that the plan's limit leaves, in the plan's order; all of them, in any order, where
 * they are no more than the limit or it has none. Only over every slot of the table: a group that is cut here must not come
 * from elsewhere too. Cost: O(groups + limit log limit) expected; no group is made an object.
 */
export function limitGroups({ shape }: Plan, batch: ColumnBatch): ColumnBatch {
  if (shape.case !== 'aggregate') return batch
  const { limit } = shape.value
  if (limit === 0 || batch.rowCount <= limit) return batch
  const readers = readersOf(shape.value, batch)
  const keys = shape.value.keys.map((_, output) => ({ output, descending: false }))
  const order = [...shape.value.order, ...keys].map(({ output, descending }) => ({
    read: readers[output]!(),
    descending,
  }))
  const rows = firstRows(batch.rowCount, limit, (left, right) => compareRows(order, left, right) < 0)
  return {
    rowCount: limit,
    columns: batch.columns.map(({ name, column }) => ({ name, column: pickRows(column, rows) })),
  }
}

/** By output: makes its reader, of which most are not needed. */
function readersOf(
  { keys, aggregates }: Extract<Plan['shape'], { case: 'aggregate' }>['value'],
  { columns }: ColumnBatch,
): ReadonlyArray<() => ReadFinal> {
  const byName = new Map(columns.map(({ name, column }) => [name, column]))
  const need = (name: string): Column => {
    const column = byName.get(name)
    if (column === undefined) throw new TypeError(`partial result without ${name}`)
    return column
  }
  return [
    ...keys.map((_, index) => () => readerOf(need(keyColumnName(index)))),
    ...aggregates.map(
      (call, index) => () =>
        aggregateReader(
          call,
          (part) => need(aggregateColumnName(index, part)),
          () => {},
        ),
    ),
  ]
}

/** As order-rows.ts orders the rows of an answer: null last in either direction. */
function compareRows(order: readonly Order[], left: number, right: number): number {
  for (const { read, descending } of order) {
    const [a, b] = [read(left), read(right)]
    const sign = compareValues(a, b)
    if (sign !== 0) return descending && a !== null && b !== null ? -sign : sign
  }
  return 0
}

/**
 * The first `limit` of `count` rows in order. A heap holds the best so far, the last of them on top (Knuth, TAOCP 3, 5.2.3).
 */
function firstRows(count: number, limit: number, precedes: Precedes): Uint32Array {
  const heap = Uint32Array.from({ length: limit }, (_, row) => row)
  for (let at = (limit >> 1) - 1; at >= 0; at--) siftDown(heap, at, precedes)
  for (let row = limit; row < count; row++) {
    if (!precedes(row, heap[0]!)) continue
    heap[0] = row
    siftDown(heap, 0, precedes)
  }
  return heap.sort((left, right) => (precedes(left, right) ? -1 : 1))
}

function siftDown(heap: Uint32Array, at: number, precedes: Precedes): void {
  const row = heap[at]!
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && precedes(heap[child]!, heap[child + 1]!)) child += 1
    if (!precedes(row, heap[child]!)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = row
}
