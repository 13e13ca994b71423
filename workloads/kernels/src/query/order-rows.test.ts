import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareValues } from './compare-values.ts'
import { type AnswerRow, orderRows } from './order-rows.ts'
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

/** Near each other, so far apart that places of three columns pass 53 bits, no integers, texts. */
const column = fc.constantFrom<fc.Arbitrary<number | bigint | string>>(
  fc.integer({ min: -3, max: 3 }),
  fc.integer(),
  fc.constantFrom(-0.5, 0, 0.5, 1e300),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom('a', 'b', 'é'),
)
test('orderRows: as compareValues has it, column by column, null last', () => {
  const table = fc
    .tuple(column, column, column)
    .chain((columns) => fc.array(fc.tuple(...columns.map((one) => fc.option(one))), { maxLength: 60 }))
  fc.assert(
    fc.property(table, fc.boolean(), (some, descending) => {
      const rows = some as AnswerRow[]
      const [outputs, order] = [[2, 0, 1], [{ output: 2, descending }]]
      const asked = plan({ keyCount: 2, orderBy: order })
      const wanted = rows.toSorted((left, right) => {
        for (const output of outputs) {
          const [a, b] = [left[output]!, right[output]!]
          const sign = compareValues(a, b)
          if (sign !== 0) return output === 2 && descending && a !== null && b !== null ? -sign : sign
        }
        return 0
      })
      assert.deepEqual(orderRows(asked, rows), wanted)
    }),
    { numRuns: 300 },
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
