import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { arbitraryColumn } from '../../../contracts/test/arbitrary-columns.ts'
import { GrowingColumn } from './growing-column.ts'

type Step = Readonly<{ source: Column; rows: Uint32Array } | { nulls: number }>

/** Blocks that bring any of their rows, also one twice or none, and spans of rows without this column. */
const steps = (type: ColumnType): fc.Arbitrary<readonly Step[]> => {
  const block = fc.integer({ min: 1, max: 60 }).chain((rowCount) =>
    fc.record({
      source: arbitraryColumn(type, rowCount),
      rows: fc.array(fc.nat(rowCount - 1), { maxLength: 90 }).map((rows) => Uint32Array.from(rows)),
    }),
  )
  const step = fc.oneof(
    { weight: 4, arbitrary: block },
    { weight: 1, arbitrary: fc.nat(90).map((nulls) => ({ nulls })) },
  )
  return fc.array(step, { maxLength: 8 })
}
const TYPES: readonly ColumnType[] = ['string', 'int64', 'float64', 'bool', 'timestamp']
const first = (column: Column, rowCount: number) =>
  Array.from({ length: rowCount }, (_, row) => valueAt(column, row))

test('GrowingColumn: its rows are those appended, and every view stays what it was', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TYPES).chain((type) => fc.tuple(fc.constant(type), steps(type))),
      ([type, taken]) => {
        const column = new GrowingColumn(type)
        const rows: unknown[] = []
        const views: Array<Readonly<{ view: Column; rowCount: number }>> = []
        for (const step of taken) {
          views.push({ view: column.view(), rowCount: rows.length })
          if ('nulls' in step) {
            column.appendNulls(step.nulls)
            for (let row = 0; row < step.nulls; row++) rows.push(null)
          } else {
            column.append(step.source, step.rows, step.rows.length)
            for (const row of step.rows) rows.push(valueAt(step.source, row))
          }
        }
        views.push({ view: column.view(), rowCount: rows.length })
        for (const { view, rowCount } of views)
          assert.deepEqual(first(view, rowCount), rows.slice(0, rowCount))
      },
    ),
    { numRuns: 400 },
  )
})

test('GrowingColumn: one text has one code, whatever the dictionaries it came with', () => {
  const column = new GrowingColumn('string')
  const all = Uint32Array.of(0, 1)
  column.append({ type: 'string', codes: Uint32Array.of(0, 1), dictionary: ['a', 'b'] }, all, 2)
  column.append({ type: 'string', codes: Uint32Array.of(1, 0), dictionary: ['c', 'b'] }, all, 2)
  const view = column.view()
  assert.equal(view.type, 'string')
  if (view.type !== 'string') return
  assert.deepEqual([...view.codes.subarray(0, 4)], [0, 1, 1, 2])
  assert.deepEqual(view.dictionary, ['a', 'b', 'c'])
})

test('GrowingColumn: no bitmap before the first null, also after no nulls at all', () => {
  for (const type of TYPES) {
    const column = new GrowingColumn(type)
    column.appendNulls(0)
    assert.equal(column.view().validity, undefined)
    column.appendNulls(1)
    assert.equal(valueAt(column.view(), 0), null)
  }
})

test('GrowingColumn: says how much it holds, at most twice its values', () => {
  const rows = Uint32Array.from({ length: 1_000 }, (_, row) => row)
  const column = new GrowingColumn('float64')
  const before = column.residentBytes
  for (let block = 0; block < 10; block++)
    column.append({ type: 'float64', values: new Float64Array(1_000) }, rows, 1_000)
  assert.ok(column.residentBytes >= 80_000 && column.residentBytes <= 160_000 + before)
})
