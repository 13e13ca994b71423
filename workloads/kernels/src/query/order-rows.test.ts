import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareValues } from './compare-values.ts'
import { orderRows } from './order-rows.ts'
import type { QueryPlan } from './plan-statement.ts'

const plan = (more: Partial<QueryPlan>): QueryPlan => ({
  partial: {},
  kind: 'aggregate',
  outputs: [
    { name: 'region', type: 'string' },
    { name: 'count', type: 'int64' },
  ],
  keyCount: 1,
  orderBy: [],
  limit: undefined,
  approximate: {},
  ...more,
})
const rows = [
  ['b', 2],
  [null, 9n],
  ['a', 2],
  ['c', null],
] as const

test('orderRows: by the keys, null last', () => {
  assert.deepEqual(
    orderRows(plan({}), rows).map(([key]) => key),
    ['a', 'b', 'c', null],
  )
})
test('orderRows: descending, null still last, ties by key, then cut', () => {
  const asked = plan({ orderBy: [{ output: 1, descending: true }], limit: 3 })
  assert.deepEqual(
    orderRows(asked, rows).map(([key]) => key),
    [null, 'a', 'b'],
  )
})

test('compareValues: text is ordered as its UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
      assert.equal(
        Math.sign(compareValues(left, right)),
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      )
    }),
  )
})
