import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { EVENT_ID_BYTES, encodeEventId } from '@truenow/contracts/event-id.ts'
import {
  AggregateFunction,
  type Plan,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Column, isValid, valueAt } from '@truenow/contracts/wire/column.ts'
import {
  type ColumnBatch,
  decodeColumnBatch,
  encodeColumnBatch,
} from '@truenow/contracts/wire/column-batch-v1.ts'
import { decodeTopK } from '@truenow/contracts/wire/top-k-v1.ts'
import fc from 'fast-check'
import { type Cell, columnOf } from '../aggregates/testing/dealt-rows.ts'
import { VERSIONS } from '../replica/testing/random-log.ts'
import { tDigestRankError } from '../sketches/t-digest.ts'
import { executePlan } from './execute-plan.ts'
import { finalizePartial } from './finalize-partial.ts'
import { mergePartials } from './merge-partials.ts'
import type { RowSource } from './row-source.ts'
import { mergePlainly, plainRows } from './testing/merge-plainly.ts'

/*
 * Merging is associative and commutative: partial results of the same rows, merged two by two in any tree, have the same
 * states, bit for bit where the README of kernels says exact, else within what it states.
 */
const TYPES: Readonly<Record<string, ColumnType>> = {
  key: 'string',
  text: 'string',
  whole: 'int64',
  float: 'float64',
  flag: 'bool',
  at: 'timestamp',
}
const definition: TableDefinition = {
  ...VERSIONS[0]!,
  columns: Object.entries(TYPES).map(([name, type]) => ({ name, type, nullable: true })),
}
const { COUNT, SUM, AVG, MIN, MAX, FIRST, LAST, COUNT_DISTINCT, APPROX_COUNT_DISTINCT, TOP_K, QUANTILE, VAR_POP } = AggregateFunction // biome-ignore format: one line
const VALUES = ['text', 'whole', 'float', 'flag', 'at'] as const
const EXACT = [
  { function: COUNT, column: '' },
  { function: SUM, column: 'whole' },
  ...[COUNT, MIN, MAX, FIRST, LAST, COUNT_DISTINCT, APPROX_COUNT_DISTINCT].flatMap((one) =>
    VALUES.map((column) => ({ function: one, column })),
  ),
]
type Row = Readonly<{ timeUs: number; cells: readonly Cell[] }>
/** The next two that are merged, as places among what is left. */
type Tree = ReadonlyArray<readonly [number, number]>

type Key = NonNullable<Extract<NonNullable<MessageInitShape<typeof PlanSchema>['shape']>, { case?: 'aggregate' }>['value']['keys']>[number] // biome-ignore format: one line
const columnKey = (value: string): Key => ({ kind: { case: 'column', value } })
const anyKeys: fc.Arbitrary<Key[]> = fc.array(
  fc.oneof(
    fc.constantFrom(...Object.keys(TYPES), definition.idColumn, definition.timeColumn).map(columnKey),
    fc.constantFrom(2n, 3n).map((value): Key => ({ kind: { case: 'timeBucketUs', value } })),
  ),
  { maxLength: 3 },
)

const PARTS = 5
const anyTree: fc.Arbitrary<Tree> = fc.array(fc.tuple(fc.nat(PARTS), fc.nat(PARTS)), {
  minLength: PARTS - 1,
  maxLength: PARTS - 1,
})
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null, freq: 4 })
const money = fc.tuple(fc.double({ min: 2 ** -20, max: 2 ** 20, noNaN: true }), fc.constantFrom(1, -1))
const anyRow: fc.Arbitrary<Row> = fc.record({
  timeUs: fc.nat(5),
  cells: fc.tuple(
    orNull(fc.constantFrom('a', 'b')),
    orNull(fc.constantFrom('', 'ü', '\ue000', '\u{10000}')),
    orNull(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(2 ** 53 - 1, 1 - 2 ** 53))),
    orNull(money.map(([size, sign]) => size * sign)),
    orNull(fc.boolean()),
    orNull(fc.nat(9)),
  ),
})
const anyParts = fc.array(fc.array(anyRow, { maxLength: 12 }), { minLength: PARTS, maxLength: PARTS })

function planOf(
  aggregates: readonly Readonly<{
    function: AggregateFunction
    column: string
    quantile?: number
    k?: number
  }>[],
  keys: readonly Key[] = [columnKey('key')],
): Plan {
  const value = { keys: [...keys], aggregates: [...aggregates] }
  return create(PlanSchema, { startUs: 0n, endUs: 10n, shape: { case: 'aggregate', value } })
}

/** What each part says, over the wire; a part is a slot. */
async function partials(plan: Plan, parts: readonly (readonly Row[])[]): Promise<ColumnBatch[]> {
  const batches = parts.map(async (rows, slot) => {
    const times = Float64Array.from(rows, ({ timeUs }) => timeUs)
    const columns = new Map<string, Column>(
      Object.entries(TYPES).map(([name, type], at) => [
        name,
        columnOf(
          type,
          rows.map(({ cells }) => cells[at]!),
        ),
      ]),
    )
    const ids = new Uint8Array(rows.length * EVENT_ID_BYTES)
    for (const row of rows.keys()) encodeEventId(`id-${row % 7}`, ids, row * EVENT_ID_BYTES)
    columns.set(definition.idColumn, { type: 'id128', values: ids })
    columns.set(definition.timeColumn, { type: 'timestamp', values: times })
    const source: RowSource = {
      slot,
      rowCount: rows.length,
      times,
      timeUsMin: Math.min(...times),
      timeUsMax: Math.max(...times),
      rowNumbers: Float64Array.from(rows.keys()),
      column: (name) => columns.get(name),
    }
    const { batch } = await executePlan(plan, definition, [source], () => undefined)
    return overTheWire(batch)
  })
  return Promise.all(batches)
}

function mergedBy(tree: Tree, plan: Plan, batches: readonly ColumnBatch[]): ColumnBatch {
  const left = [...batches]
  for (const [one, other] of tree) {
    const [first] = left.splice(one % left.length, 1)
    const [second] = left.splice(other % left.length, 1)
    left.push(overTheWire(mergePartials(plan, definition, [first!, second!])))
  }
  return left[0]!
}

const overTheWire = (batch: ColumnBatch): ColumnBatch => decodeColumnBatch(encodeColumnBatch(batch))

/** All states by group: their names and values, bytes in hex. */
function states({ columns, rowCount }: ColumnBatch): Map<unknown, unknown> {
  const rows = Array.from({ length: rowCount }, (_, row) =>
    columns.map(({ name, column }) => {
      if (!isValid(column, row)) return [name, null]
      return [
        name,
        column.type === 'bytes' ? Buffer.from(column.values[row]!).toString('hex') : valueAt(column, row),
      ]
    }),
  )
  return new Map(rows.map((row) => [row[0]![1], row.slice(1)]).toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)) as [unknown, unknown][]) // biome-ignore format: one line
}

test('mergePartials: by columns as group by group, for every aggregate, keys of all types and nulls, groups in the order of their appearance', async () => {
  const { VAR_SAMP, STDDEV_POP, STDDEV_SAMP } = AggregateFunction
  const calls = [
    ...EXACT,
    ...[SUM, AVG, VAR_POP, VAR_SAMP, STDDEV_POP, STDDEV_SAMP].map((one) => ({ function: one, column: 'float' })), // biome-ignore format: one line
    { function: AVG, column: 'whole' },
    ...['whole', 'float'].map((column) => ({ function: QUANTILE, column, quantile: 0.5 })),
    ...VALUES.map((column) => ({ function: TOP_K, column, k: 3 })),
  ]
  const typeOf = (column: string) => TYPES[column]!
  await fc.assert(
    fc.asyncProperty(anyParts, anyKeys, async (parts, keys) => {
      const plan = planOf(calls, keys)
      const batches = await partials(plan, parts)
      assert.ok(plan.shape.case === 'aggregate')
      const wanted = mergePlainly(plan.shape.value, batches, typeOf)
      assert.deepEqual(plainRows(mergePartials(plan, definition, batches)), wanted)
    }),
  )
})

/** Final values of the one aggregate of a plan by group. */
function finals(plan: Plan, batch: ColumnBatch): Map<unknown, unknown> {
  const { rowCount, value } = finalizePartial(plan, definition, batch)
  return new Map(Array.from({ length: rowCount }, (_, row) => [value(row, 0), value(row, 1)]))
}

const valuesOf = (parts: readonly (readonly Row[])[], at: number, key: unknown): number[] =>
  parts.flat().flatMap(({ cells }) => (cells[0] === key && cells[at] !== null ? [Number(cells[at])] : []))

test('mergePartials: counts, integers, extremes, ends, sets and registers are the same bits over any tree', async () => {
  const plan = planOf([...EXACT, { function: TOP_K, column: 'text', k: 3 }])
  await fc.assert(
    fc.asyncProperty(anyParts, anyTree, anyTree, async (parts, one, other) => {
      const batches = await partials(plan, parts)
      const expected = states(mergedBy(one, plan, batches))
      assert.deepEqual(states(mergedBy(other, plan, batches)), expected)
      // And they are what one fold over all parts at once has.
      assert.deepEqual(states(mergePartials(plan, definition, batches)), expected)
    }),
  )
})

test('mergePartials: a float sum is within its last bit, a mean, a variance and few quantiles too, over any tree', async () => {
  const lastBit = (value: number) => 2 ** (Math.floor(Math.log2(Math.abs(value) || Number.MIN_VALUE)) - 52)
  const [sum, mean, variance, median] = [SUM, AVG, VAR_POP, QUANTILE].map((one) =>
    planOf([{ function: one, column: 'float', quantile: 0.5 }]),
  ) as [Plan, Plan, Plan, Plan]
  await fc.assert(
    fc.asyncProperty(anyParts, anyTree, async (parts, tree) => {
      const said = async (plan: Plan) => finals(plan, mergedBy(tree, plan, await partials(plan, parts)))
      const [sums, means, variances, medians] = [await said(sum), await said(mean), await said(variance), await said(median)] // biome-ignore format: one line
      for (const [key, found] of sums) {
        const values = valuesOf(parts, 3, key)
        const n = values.length
        if (n === 0) {
          assert.deepEqual(
            [found, means.get(key), variances.get(key), medians.get(key)],
            [null, null, null, null],
          )
          continue
        }
        // 2^80 times such a double is an integer.
        const exact = Number(values.reduce((total, value) => total + BigInt(value * 2 ** 80), 0n)) / 2 ** 80
        const magnitude = values.reduce((total, value) => total + Math.abs(value), 0)
        const allowed = lastBit(exact) + n ** 2 * 2 ** -105 * magnitude
        assert.ok(Math.abs(Number(found) - exact) <= allowed, `sum ${found}, exactly ${exact}`)
        assert.ok(Math.abs(Number(means.get(key)) - exact / n) <= (allowed + lastBit(exact)) / n)
        const center = exact / n
        const square = values.reduce((total, value) => total + (value - center) ** 2, 0) / n
        const root = Math.sqrt(values.reduce((total, value) => total + value ** 2, 0) / n)
        const lost = 4 * n * 2 ** -53 * root
        assert.ok(Math.abs(Number(variances.get(key)) - square) <= 2 * lost * Math.sqrt(square) + lost ** 2)
        const sorted = values.toSorted((a, b) => a - b)
        const [low, high] = [sorted[(n - 1) >> 1]!, sorted[n >> 1]!]
        const middle = low === high ? low : low + (high - low) / 2
        assert.ok(Math.abs(Number(medians.get(key)) - middle) <= lastBit(Math.max(-low, high, 0)) * 2)
      }
    }),
  )
})

test('mergePartials: many values: the same registers and counters over any tree, digests and candidates within their bounds', async () => {
  const registers = planOf([{ function: APPROX_COUNT_DISTINCT, column: 'whole' }])
  const top = planOf([{ function: TOP_K, column: 'whole', k: 5 }])
  const quantile = planOf([{ function: QUANTILE, column: 'whole', quantile: 0.9 }])
  await fc.assert(
    fc.asyncProperty(anyTree, anyTree, fc.nat(1 << 20), async (one, other, seed) => {
      // Every fourth row is one of eight frequent values; some parts alone have too few values for a sketch.
      const cell = (part: number, row: number) =>
        row % 4 === 0 ? row % 32 : (seed + part * 7_919 + row * 31) % 50_000
      const parts = Array.from({ length: PARTS }, (_, part) =>
        Array.from(
          { length: 300 + 700 * part },
          (_row, row): Row => ({
            timeUs: 0,
            cells: ['a', null, cell(part, row), null, null, null],
          }),
        ),
      )
      const trees = async (plan: Plan) => {
        const batches = await partials(plan, parts)
        return [one, other].map((tree) => mergedBy(tree, plan, batches))
      }
      const [left, right] = await trees(registers)
      assert.deepEqual(states(left!), states(right!))
      const counters = (await trees(top)).map(({ columns }) => {
        const { column } = columns.find(({ name }) => name.includes('sketch'))!
        const state = decodeTopK('int64', column.type === 'bytes' ? column.values[0]! : new Uint8Array())
        return state.form === 'sketch' ? [...state.counters] : 'exact'
      })
      assert.notEqual(counters[0], 'exact')
      assert.deepEqual(counters[0], counters[1])
      const values = valuesOf(parts, 2, 'a').sort((a, b) => a - b)
      for (const batch of await trees(quantile)) {
        const found = Number(finals(quantile, batch).get('a'))
        const rank = values.filter((value) => value < found).length / values.length
        assert.ok(Math.abs(rank - 0.9) <= tDigestRankError(0.9) + 1 / values.length, `rank ${rank}`)
      }
    }),
    { numRuns: 10 },
  )
})
