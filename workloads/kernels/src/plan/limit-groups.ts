import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { aggregateColumnName, keyColumnName } from '@truenow/contracts/wire/partial-result-v1.ts'
import { pickRows } from '../columns/pick-rows.ts'
import { compareValues } from '../query/compare-values.ts'
import { aggregateReader, type ReadFinal, readerOf } from './finalize-aggregate.ts'

type Order = Readonly<{ read: ReadFinal; descending: boolean; text: TextColumn | undefined }>
type TextColumn = Extract<Column, { type: 'string' }>
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
    text: textOf(shape.value, batch, output),
  }))
  const ranks = ranksOf(order[0]!, batch.rowCount)
  const rows = firstRows(batch.rowCount, limit, (left, right) => {
    const [a, b] = [ranks[left]!, ranks[right]!]
    return a < b || (a === b && compareRows(order, left, right) < 0)
  })
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

/** The column of an output that is a text as it stands. */
function textOf(
  { keys }: Extract<Plan['shape'], { case: 'aggregate' }>['value'],
  { columns }: ColumnBatch,
  output: number,
): TextColumn | undefined {
  const wanted = output < keys.length ? keyColumnName(output) : aggregateColumnName(output - keys.length, 'value') // biome-ignore format: one line
  const column = columns.find(({ name }) => name === wanted)?.column
  return column?.type === 'string' ? column : undefined
}

/**
 * A number for each row that is less only where the row is first by what the order begins with; where two are equal, only the
 * values can tell. So most groups are passed over without a value being made.
 */
function ranksOf({ read, descending, text }: Order, rowCount: number): Float64Array {
  const prefixes = text === undefined ? undefined : prefixesOf(text.dictionary)
  const ranks = new Float64Array(rowCount)
  if (text !== undefined && prefixes === undefined) return ranks
  for (let row = 0; row < rowCount; row++) {
    const isNull = text !== undefined && !isValid(text, row)
    const value = isNull ? null : text !== undefined ? prefixes![text.codes[row]!]! : read(row)
    if (value === null) ranks[row] = Number.POSITIVE_INFINITY
    // Rounding keeps the order of integers beyond 2^53; a list has none.
    else if (typeof value !== 'object') ranks[row] = descending ? -Number(value) : Number(value)
  }
  return ranks
}

const PREFIX_BYTES = 6

/** The first bytes of each text as an integer: where two differ, their texts are in that order by code points. */
function prefixesOf(dictionary: Dictionary): Float64Array | undefined {
  const texts = dictionary.utf8?.()
  if (texts === undefined) return undefined
  const { bytes, ends } = texts
  const prefixes = new Float64Array(ends.length)
  for (let code = 0, from = 0; code < ends.length; code++) {
    const end = ends[code]!
    let prefix = 0
    for (let at = from; at < from + PREFIX_BYTES; at++) prefix = prefix * 256 + (at < end ? bytes[at]! : 0)
    prefixes[code] = prefix
    from = end
  }
  return prefixes
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
