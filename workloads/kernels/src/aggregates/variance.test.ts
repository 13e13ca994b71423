import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import type { Accumulator } from './accumulator.ts'
import { atOnce, cellsOf, columnOf, type Dealt, dealt, GROUPS, merged, orders } from './testing/dealt-rows.ts'
import { varianceAccumulator } from './variance.ts'

/** Sixteenths: 2^4 times one is an integer, so the exact variance is a fraction of bigints. */
const sixteenths = fc.integer({ min: -1_600_000, max: 1_600_000 }).map((value) => value / 16)
const whole = fc.integer({ min: -1_000_000, max: 1_000_000 })

/** Sum of squared distances from the mean, exact but for the last division. */
function exactM2(values: readonly number[]): number {
  if (values.length === 0) return 0
  const scaled = values.map((value) => BigInt(value * 16))
  const [count, sum] = [BigInt(values.length), scaled.reduce((a, b) => a + b, 0n)]
  const squares = scaled.reduce((total, value) => total + value * value, 0n)
  return Number(squares * count - sum * sum) / 256 / values.length
}
const readState = (accumulator: Accumulator, group: number) =>
  accumulator.columns(GROUPS).map(({ column }) => Number(valueAt(column, group)))

function assertNear(accumulator: Accumulator, rows: Dealt): void {
  for (let group = 0; group < GROUPS; group++) {
    const values = cellsOf(rows, group).map(Number)
    const [count, mean, m2] = readState(accumulator, group) as [number, number, number]
    assert.equal(count, values.length)
    const wanted = exactM2(values)
    const scale = values.reduce((sum, value) => sum + value * value, 0)
    // Relative to the squares: where all values are alike, the spread itself is nothing but rounding.
    assert.ok(Math.abs(m2 - wanted) <= 1e-12 * wanted + 1e-15 * scale, `${m2} is not ${wanted}`)
    const total = values.reduce((a, b) => a + b, 0)
    assert.ok(Math.abs(mean * count - total) <= 1e-9 * (1 + Math.abs(total)), `mean ${mean}`)
  }
}

for (const [type, cell] of [
  ['float64', sixteenths],
  ['int64', whole],
] as const) {
  test(`variance of ${type}: within 1e-12 of the exact one, over any split in any order`, () => {
    fc.assert(
      fc.property(dealt(fc.option(cell, { nil: null, freq: 4 })), orders, (rows, order) => {
        const column = columnOf(
          type,
          rows.map((row) => row.cell),
        )
        assertNear(atOnce(varianceAccumulator, column, rows), rows)
        assertNear(merged(varianceAccumulator, column, rows, order), rows)
      }),
      { numRuns: 500 },
    )
  })
}

test('variance: a common offset of 10^9 costs nothing that a sum of squares would lose', () => {
  const rows = [4, 7, 13, 16].map((value, part) => ({ cell: value + 1e9, group: 0, part }))
  const column = columnOf(
    'float64',
    rows.map(({ cell }) => cell),
  )
  for (const state of [
    atOnce(varianceAccumulator, column, rows),
    merged(varianceAccumulator, column, rows, [3, 1, 0, 2]),
  ])
    assert.deepEqual(readState(state, 0), [4, 1e9 + 10, 90])
})

test('variance: values beyond the range of a double show as such, never as a number', () => {
  const rows = [1.7e308, -1.7e308].map((cell, part) => ({ cell, group: 0, part }))
  const column = columnOf(
    'float64',
    rows.map(({ cell }) => cell),
  )
  for (const state of [
    atOnce(varianceAccumulator, column, rows),
    merged(varianceAccumulator, column, rows, [0, 1, 2, 3]),
  ])
    assert.ok(!Number.isFinite(readState(state, 0)[2]))
})
