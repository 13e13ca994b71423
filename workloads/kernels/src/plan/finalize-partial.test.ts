import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AggregateFunction, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import { VERSIONS } from '../replica/testing/random-log.ts'
import type { FinalValue } from './finalize-aggregate.ts'
import { finalizePartial } from './finalize-partial.ts'

const [definition] = VERSIONS as [(typeof VERSIONS)[0]]
const { SUM, AVG } = AggregateFunction
const counted = (name: string, count: number): NamedColumn => ({
  name,
  column: { type: 'int64', values: Float64Array.of(count) },
})
/** SUM and AVG of one state. */
function finals(column: string, state: (at: number) => readonly NamedColumn[]) {
  const aggregates = [SUM, AVG].map((name) => ({ function: name, column }))
  const plan = create(PlanSchema, { shape: { case: 'aggregate', value: { aggregates } } })
  const { value, overflowed } = finalizePartial(plan, definition, {
    rowCount: 1,
    columns: [...state(0), ...state(1)],
  })
  return { sum: value(0, 0), mean: value(0, 1), overflowed: [...overflowed] }
}
const integers = (sum: bigint, count: number) =>
  finals('items', (at) => [{ name: `a${at}.sum`, column: { type: 'int128', values: [sum] } }, counted(`a${at}.count`, count)]) // biome-ignore format: one line
const floats = (sum: number, compensation: number, count: number) =>
  finals('revenue', (at) => [
    { name: `a${at}.sum`, column: { type: 'float64', values: Float64Array.of(sum) } },
    { name: `a${at}.compensation`, column: { type: 'float64', values: Float64Array.of(compensation) } },
    counted(`a${at}.count`, count),
  ])

const TOP = 2n ** 63n - 1n
type Finals = Readonly<{ sum: FinalValue; mean: FinalValue; overflowed: readonly number[] }>
const cases: ReadonlyArray<[name: string, found: Finals, expected: Finals]> = [
  ['no integers', integers(0n, 0), { sum: null, mean: null, overflowed: [] }],
  [
    'integers beyond 2^53',
    integers(2n ** 53n + 1n, 1),
    { sum: 2n ** 53n + 1n, mean: 2 ** 53, overflowed: [] },
  ],
  ['the greatest int64', integers(TOP, 2), { sum: TOP, mean: 2 ** 62, overflowed: [] }],
  ['one more', integers(TOP + 1n, 2), { sum: null, mean: 2 ** 62, overflowed: [0] }],
  ['the least int64', integers(-TOP - 1n, 4), { sum: -TOP - 1n, mean: -(2 ** 61), overflowed: [] }],
  ['one less', integers(-TOP - 2n, 4), { sum: null, mean: -(2 ** 61), overflowed: [0] }],
  ['a mean of integers that is none', integers(-7n, 2), { sum: -7n, mean: -3.5, overflowed: [] }],
  ['no floats', floats(0, 0, 0), { sum: null, mean: null, overflowed: [] }],
  [
    'a compensated sum',
    floats(1, 2 ** -53 + 2 ** -80, 1),
    { sum: 1 + 2 ** -52, mean: 1 + 2 ** -52, overflowed: [] },
  ],
  [
    'a float sum that overflowed',
    floats(Number.POSITIVE_INFINITY, 0, 2),
    { sum: null, mean: null, overflowed: [0, 1] },
  ],
  ['two that overflowed apart', floats(Number.NaN, 0, 2), { sum: null, mean: null, overflowed: [0, 1] }],
]
for (const [name, found, expected] of cases) {
  test(`finalizePartial: ${name}`, () => assert.deepEqual(found, expected))
}
