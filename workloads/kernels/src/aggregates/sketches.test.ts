import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quantileAccumulator } from './quantile.ts'
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
} from './testing/dealt-rows.ts'
import { finalValues } from './testing/final-values.ts'
import { topKAccumulator } from './top-k.ts'

const free = new StateBudget('QUERY_SKETCH_BYTES_MAX', 0, 'ask for less')
const types: ReadonlyArray<[type: Parameters<typeof columnOf>[0], cell: fc.Arbitrary<Cell>]> = [
  ['string', fc.constantFrom('', 'a', 'ü', '\u{1f600}')],
  ['int64', fc.integer({ min: -4, max: 4 })],
  ['float64', fc.integer({ min: -4, max: 4 }).map((value) => value / 4 + 0)],
  ['bool', fc.boolean()],
  ['timestamp', fc.nat(9)],
]
const order = (a: Cell, b: Cell) =>
  typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(String(b))) : Number(a) - Number(b)

for (const [type, cell] of types) {
  test(`TOP_K of ${type}: the frequent values with their counts, over any split in any order`, () => {
    fc.assert(
      fc.property(dealt(fc.option(cell, { nil: null, freq: 4 })), orders, (rows, ordered) => {
        const column = columnOf(
          type,
          rows.map((row) => row.cell),
        )
        const create = () => topKAccumulator(type, free)
        const wanted = perGroup((group) => {
          const cells = cellsOf(rows, group)
          return [...new Set(cells)]
            .map((value) => ({ value, count: cells.filter((each) => each === value).length, error_max: 0 }))
            .sort((a, b) => b.count - a.count || order(a.value, b.value))
            .slice(0, 3)
        })
        for (const state of [atOnce(create, column, rows), merged(create, column, rows, ordered)])
          assert.deepEqual(finalValues('TOP_K', state, GROUPS, { k: 3 }), wanted)
      }),
    )
  })
}

for (const type of ['int64', 'float64'] as const) {
  test(`QUANTILE of ${type}: exact over few values, null over none, over any split in any order`, () => {
    const cell = fc.option(fc.integer({ min: -100, max: 100 }), { nil: null, freq: 4 })
    fc.assert(
      fc.property(dealt(cell), orders, (rows, ordered) => {
        const column = columnOf(
          type,
          rows.map((row) => row.cell),
        )
        const create = () => quantileAccumulator(free)
        for (const state of [atOnce(create, column, rows), merged(create, column, rows, ordered)]) {
          const least = perGroup(
            (group) =>
              cellsOf(rows, group)
                .map(Number)
                .sort((a, b) => a - b)[0] ?? null,
          )
          assert.deepEqual(finalValues('QUANTILE', state, GROUPS, { quantile: 0 }), least)
          for (const [group, median] of finalValues('QUANTILE', state, GROUPS, { quantile: 0.5 }).entries()) {
            const sorted = cellsOf(rows, group)
              .map(Number)
              .sort((a, b) => a - b)
            const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
            assert.equal(median, low === undefined ? null : (low + high!) / 2)
          }
        }
      }),
    )
  })
}

test('a state that is no sketch is refused, never a crash', () => {
  for (const create of [() => quantileAccumulator(free), () => topKAccumulator('int64', free)]) {
    for (const bytes of [
      Uint8Array.of(),
      Uint8Array.of(1, 0, 5, 12, 8, 0, 0, 0),
      new Uint8Array(24).fill(9),
    ]) {
      const state = () => ({ type: 'bytes' as const, values: [bytes] })
      assert.throws(() => create().merge(state, Uint32Array.of(0), 1), { code: 'TN_BLOCK_CORRUPT' })
    }
  }
})
