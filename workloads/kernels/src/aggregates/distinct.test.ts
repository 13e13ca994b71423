import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { approxCountDistinctAccumulator } from './approx-count-distinct.ts'
import { countDistinctAccumulator } from './count-distinct.ts'
import { StateBudget } from './state-budget.ts'
import {
  atOnce,
  type Cell,
  cellsOf,
  columnOf,
  dealt,
  GROUPS,
  merged,
  orders,
  perGroup,
  said,
} from './testing/dealt-rows.ts'
import { finalValues } from './testing/final-values.ts'

const free = { values: new StateBudget('values', 0, ''), bytes: new StateBudget('bytes', 0, '') }
const types: ReadonlyArray<[type: Parameters<typeof columnOf>[0], cell: fc.Arbitrary<Cell>]> = [
  ['string', fc.string({ unit: 'grapheme', maxLength: 1 })],
  ['int64', fc.oneof(fc.integer({ min: -4, max: 4 }), fc.maxSafeInteger())],
  [
    'float64',
    fc.oneof(
      fc.integer({ min: -4, max: 4 }).map((value) => value / 4),
      fc.constant(-0),
    ),
  ],
  ['bool', fc.boolean()],
  ['timestamp', fc.nat(9)],
]
for (const [type, cell] of types) {
  test(`COUNT DISTINCT of ${type}, exact and sketched: the same bytes over any split in any order, and the true count`, () => {
    fc.assert(
      fc.property(dealt(fc.option(cell, { nil: null, freq: 4 })), orders, (rows, order) => {
        const column = columnOf(
          type,
          rows.map((row) => row.cell),
        )
        const truth = perGroup(
          (group) => new Set(cellsOf(rows, group).map((value) => (value === 0 ? 0 : value))).size,
        )
        for (const [create, final] of [
          [() => countDistinctAccumulator(type, free), 'COUNT_DISTINCT'],
          [() => approxCountDistinctAccumulator(free.bytes), 'APPROX_COUNT_DISTINCT'],
        ] as const) {
          const whole = atOnce(create, column, rows)
          const parts = merged(create, column, rows, order)
          assert.deepEqual(said(parts), said(whole))
          assert.deepEqual(finalValues(final, parts, GROUPS), truth)
        }
      }),
    )
  })
}

const everyRow = (count: number) => ({
  column: { type: 'int64' as const, values: Float64Array.from({ length: count }, (_, row) => row) },
  rows: Uint32Array.from({ length: count }, (_, row) => row),
  groups: new Uint32Array(count),
  places: { slot: 0, times: new Float64Array(count), rowNumbers: new Float64Array(count) },
})

test('COUNT DISTINCT: one value more than the query may hold ends it, with the name of the limit', () => {
  const { column, rows, groups, places } = everyRow(101)
  const create = () =>
    countDistinctAccumulator('int64', {
      values: new StateBudget('QUERY_DISTINCT_VALUES_MAX', 100, 'use less'),
      bytes: free.bytes,
    })
  create().update(column, rows, groups, 100, places)
  assert.throws(() => create().update(column, rows, groups, 101, places), {
    code: 'TN_QUERY_LIMIT',
    message: /QUERY_DISTINCT_VALUES_MAX \(100\).*use less/,
  })
})

test('APPROX_COUNT_DISTINCT: sketches beyond their memory end the query, with the name of the limit', () => {
  const { column, rows, places } = everyRow(1_000)
  const sketched = approxCountDistinctAccumulator(
    new StateBudget('QUERY_SKETCH_BYTES_MAX', 100_000, 'group less'),
  )
  assert.throws(() => sketched.update(column, rows, rows, 1_000, places), { code: 'TN_QUERY_LIMIT' })
})

test('a state that is no sketch is refused, never a crash', () => {
  for (const create of [
    () => countDistinctAccumulator('int64', free),
    () => approxCountDistinctAccumulator(free.bytes),
  ]) {
    for (const bytes of [
      Uint8Array.of(),
      Uint8Array.of(1, 1, 14, 25),
      Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9),
    ]) {
      const state = () => ({ type: 'bytes' as const, values: [bytes] })
      assert.throws(() => create().merge(state, Uint32Array.of(0), 1), { code: 'TN_BLOCK_CORRUPT' })
    }
    const wrong = () => ({ type: 'int64' as const, values: Float64Array.of(1) })
    assert.throws(() => create().merge(wrong, Uint32Array.of(0), 1), { code: 'TN_BLOCK_CORRUPT' })
  }
})
