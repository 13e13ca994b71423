import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AggregateFunction, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  type ColumnBatch,
  decodeColumnBatch,
  encodeColumnBatch,
} from '@truenow/contracts/wire/column-batch-v1.ts'
import fc from 'fast-check'
import { columnOf } from '../aggregates/extreme.ts'
import { type AnswerRow, orderRows } from '../query/order-rows.ts'
import type { QueryPlan } from '../query/plan-statement.ts'
import { finalizePartial } from './finalize-partial.ts'
import { limitGroups } from './limit-groups.ts'

const { COUNT, MAX, SUM } = AggregateFunction
const aggregates = [
  { function: COUNT, column: '' },
  { function: MAX, column: 'name' },
  { function: SUM, column: 'price' },
]
const definition = {} as Parameters<typeof finalizePartial>[1] // Aggregates do not ask it.
/** Some alike in their first bytes, some only in their zeros. */
const NAMES = ['', '\0', 'a', 'b', '\u{ffff}', '\u{1f600}', 'product-1', 'product-10', 'product-2', 'produc']
const value = fc.option(fc.constantFrom(...NAMES), { nil: undefined })
const group = fc.record({ count: fc.nat(3), value, sum: fc.integer({ min: -2, max: 2 }) })

/** Groups whose keys differ, as a partial result. */
function batchOf(
  groups: ReadonlyArray<Readonly<{ count: number; value: string | undefined; sum: number }>>,
): ColumnBatch {
  const keys = groups.map((_, row) =>
    row === 0 ? undefined : `${row % 2 === 0 ? 'k' : 'prefix-'}${(row * 41) % 97}`,
  )
  const numbers = (of: (row: number) => number) => Float64Array.from(groups, (_, row) => of(row))
  return {
    rowCount: groups.length,
    columns: [
      { name: 'k0', column: columnOf('string', keys, groups.length) },
      { name: 'a0.count', column: { type: 'int64', values: numbers((row) => groups[row]!.count) } },
      { name: 'a1.value', column: columnOf('string', groups.map((one) => one.value), groups.length) }, // biome-ignore format: one line
      { name: 'a2.sum', column: { type: 'float64', values: numbers((row) => groups[row]!.sum) } },
      { name: 'a2.compensation', column: { type: 'float64', values: numbers(() => 0) } },
      { name: 'a2.count', column: { type: 'int64', values: numbers((row) => groups[row]!.count) } },
    ],
  }
}

test('limitGroups: the rows that ordering all of them and cutting leaves, in that order', () => {
  const order = fc.array(fc.record({ output: fc.nat(3), descending: fc.boolean() }), { maxLength: 3 })
  fc.assert(
    fc.property(
      fc.array(group, { maxLength: 40 }),
      order,
      fc.nat(45),
      fc.boolean(),
      (groups, orderBy, limit, isSent) => {
        const plan = create(PlanSchema, {
          shape: {
            case: 'aggregate',
            value: { keys: [{ kind: { case: 'column', value: 'k' } }], aggregates, order: orderBy, limit },
          },
        })
        const query: QueryPlan = {
          partial: {},
          kind: 'aggregate',
          outputs: [],
          keyCount: 1,
          orderBy,
          limit: limit === 0 ? undefined : limit,
          approximate: {},
        }
        const rowsOf = (batch: ColumnBatch): AnswerRow[] => {
          const final = finalizePartial(plan, definition, batch)
          return Array.from({ length: final.rowCount }, (_, row) =>
            [0, 1, 2, 3].map((at) => final.value(row, at)),
          )
        }
        // Sent texts are bytes, others strings.
        const batch = isSent ? decodeColumnBatch(encodeColumnBatch(batchOf(groups))) : batchOf(groups)
        const wanted = orderRows(query, rowsOf(batch))
        const left = limitGroups(plan, batch)
        assert.deepEqual(orderRows(query, rowsOf(left)), wanted)
        if (left !== batch) assert.deepEqual(rowsOf(left), wanted)
        assert.equal(left.rowCount, limit === 0 ? groups.length : Math.min(limit, groups.length))
      },
    ),
  )
})
