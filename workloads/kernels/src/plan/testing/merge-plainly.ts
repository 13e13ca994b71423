import assert from 'node:assert/strict'
import {
  type AggregateCall,
  AggregateFunction,
  type AggregatePlan,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import { isValid, valueAt } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { decodeHyperLogLog, encodeHyperLogLog } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import { decodeScalarList, encodeScalarList } from '@truenow/contracts/wire/scalar-list-v1.ts'
import { decodeTDigest, encodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import { decodeTopK, encodeTopK } from '@truenow/contracts/wire/top-k-v1.ts'
import { StateBudget } from '../../aggregates/state-budget.ts'
import { HyperLogLog } from '../../sketches/hyperloglog.ts'
import { TDigest } from '../../sketches/t-digest.ts'
import { TopK } from '../../sketches/top-k.ts'
import { ValueHasher } from '../../sketches/value-hasher.ts'

/** A value of a state: bytes as bytes, everything else as people see it. */
type Value = ReturnType<typeof valueAt> | Uint8Array
/** The state of one aggregate of one group, by its parts. */
type State = Readonly<Record<string, Value>>
type Merge = (left: State, right: State) => State
/** Rows of a partial result, value by value, by the names of its columns. */
export type PlainRow = Readonly<Record<string, Value>>

/** The rows of a partial result. */
export const plainRows = ({ rowCount, columns }: ColumnBatch): PlainRow[] =>
  Array.from({ length: rowCount }, (_, row) =>
    Object.fromEntries(
      columns.map(({ name, column }) => [
        name,
        column.type === 'bytes' && isValid(column, row) ? column.values[row]! : valueAt(column, row),
      ]),
    ),
  )

/**
 * Merges partial results group by group and value by value, as partial-result-v1.ts says what a state is: what merge-partials.ts does
 * by columns. Groups come in the order of their appearance. `typeOf` tells the type of a column.
 */
export function mergePlainly(
  { aggregates }: AggregatePlan,
  batches: readonly ColumnBatch[],
  typeOf: (column: string) => ColumnType,
): PlainRow[] {
  const groups = new Map<string, Record<string, Value>>()
  for (const row of batches.flatMap(plainRows)) {
    const key = JSON.stringify(Object.entries(row).filter(([name]) => name.startsWith('k')))
    const held = groups.get(key)
    if (held === undefined) groups.set(key, { ...row })
    else {
      for (const [index, call] of aggregates.entries()) {
        const states = [held, row].map((one) => stateOf(one, `a${index}.`)) as [State, State]
        const merged = mergeOf(call, call.column === '' ? 'int64' : typeOf(call.column))(...states)
        for (const [part, value] of Object.entries(merged)) held[`a${index}.${part}`] = value
      }
    }
  }
  return [...groups.values()]
}

const stateOf = (row: PlainRow, prefix: string): State =>
  Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  )

function mergeOf({ function: aggregate }: AggregateCall, type: ColumnType): Merge {
  switch (aggregate) {
    case AggregateFunction.COUNT:
      return (left, right) => ({ count: Number(left.count) + Number(right.count) })
    case AggregateFunction.SUM:
    case AggregateFunction.AVG:
      return type === 'float64' ? mergeFloatSums : mergeIntegerSums
    case AggregateFunction.MIN:
      return (left, right) => (precedes(right.value!, left.value!) ? right : left)
    case AggregateFunction.MAX:
      return (left, right) => (left.value === null || (right.value !== null && precedes(left.value!, right.value!)) ? right : left) // biome-ignore format: one line
    case AggregateFunction.FIRST:
      return mergeEnds(1)
    case AggregateFunction.LAST:
      return mergeEnds(-1)
    case AggregateFunction.VAR_POP:
    case AggregateFunction.VAR_SAMP:
    case AggregateFunction.STDDEV_POP:
    case AggregateFunction.STDDEV_SAMP:
      return mergeVariances
    default:
      return mergeSketches(aggregate, type)
  }
}

const mergeIntegerSums: Merge = (left, right) => ({
  sum: BigInt(left.sum as bigint) + BigInt(right.sum as bigint),
  count: Number(left.count) + Number(right.count),
})

/** Neumaier's addition of the other sum, then of what both had lost. */
const mergeFloatSums: Merge = (left, right) => {
  const [a, b] = [Number(left.sum), Number(right.sum)]
  const sum = a + b
  const lost = Math.abs(a) >= Math.abs(b) ? a - sum + b : b - sum + a
  return {
    sum,
    compensation: Number(left.compensation) + lost + Number(right.compensation),
    count: Number(left.count) + Number(right.count),
  }
}

/** Chan, Golub and LeVeque, STAN-CS-79-773 (1979). */
const mergeVariances: Merge = (left, right) => {
  const [n, m] = [Number(left.count), Number(right.count)]
  if (m === 0 || n === 0) return m === 0 ? left : right
  const delta = Number(right.mean) - Number(left.mean)
  return {
    count: n + m,
    mean: Number(left.mean) + delta * (m / (n + m)),
    m2: Number(left.m2) + (Number(right.m2) + delta * delta * ((n * m) / (n + m))),
  }
}

/** Null comes after everything; text is ordered as UTF-8 bytes. */
function precedes(one: Value, other: Value): boolean {
  if (one === null || other === null) return one !== null
  if (typeof one !== 'string') return Number(one) < Number(other)
  return Buffer.compare(Buffer.from(one), Buffer.from(String(other))) < 0
}

const mergeEnds =
  (sign: 1 | -1): Merge =>
  (left, right) => {
    if (left.value === null || right.value === null) return right.value === null ? left : right
    const order = [
      (Number(left.time) - Number(right.time)) * sign,
      Number(left.slot) - Number(right.slot),
      (Number(left.row) - Number(right.row)) * sign,
    ]
    return (order.find((difference) => difference !== 0) ?? 0) <= 0 ? left : right
  }

function mergeSketches(aggregate: AggregateFunction, type: ColumnType): Merge {
  const budget = new StateBudget('none', 0, '')
  const merge = (left: Uint8Array, right: Uint8Array): Uint8Array => {
    if (aggregate === AggregateFunction.COUNT_DISTINCT) {
      const values = [left, right].flatMap((bytes) => decodeScalarList(type, bytes))
      return encodeScalarList(type, new Set(values))
    }
    if (aggregate === AggregateFunction.APPROX_COUNT_DISTINCT) {
      const sketch = new HyperLogLog(budget)
      for (const bytes of [left, right]) sketch.merge(decodeHyperLogLog(bytes))
      return encodeHyperLogLog(sketch.state())
    }
    if (aggregate === AggregateFunction.QUANTILE) {
      const digest = new TDigest(budget)
      for (const bytes of [left, right]) {
        const state = decodeTDigest(bytes)
        if (state.means.length > 0) digest.merge(state)
      }
      return encodeTDigest(digest.state())
    }
    assert.equal(aggregate, AggregateFunction.TOP_K)
    const top = new TopK(budget, new ValueHasher())
    for (const bytes of [left, right]) top.merge(decodeTopK(type, bytes))
    return encodeTopK(type, top.state())
  }
  return (left, right) => ({ sketch: merge(left.sketch as Uint8Array, right.sketch as Uint8Array) })
}
