import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import type { Accumulator } from './accumulator.ts'
import { countAccumulator } from './count.ts'
import { extremeAccumulator } from './extreme.ts'
import { firstLastAccumulator } from './first-last.ts'
import { sumFloatsAccumulator } from './sum-floats.ts'
import { sumIntegersAccumulator } from './sum-integers.ts'
import {
  atOnce,
  type Cell,
  cellsOf,
  columnOf,
  type Dealt,
  dealt,
  GROUPS,
  merged,
  orders,
  perGroup,
  said,
} from './testing/dealt-rows.ts'
import { varianceAccumulator } from './variance.ts'

/*
 * The laws of every aggregate: however its rows are split, in whatever order parts and rows come, through however many
 * merges and over the wire, the state says the same.
 */
const orNull = (value: fc.Arbitrary<Cell>): fc.Arbitrary<Cell> => fc.option(value, { freq: 4, nil: null })
const whole = fc.oneof(
  fc.integer({ min: -100, max: 100 }),
  fc.maxSafeInteger(),
  fc.constantFrom(2 ** 53 - 1, -(2 ** 53) + 1),
)
const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const text = fc.string({ unit: 'grapheme', maxLength: 3 })

/** Exact aggregates: their state over any split equals the state over all rows, and what a fold over the cells says. */
const exact: ReadonlyArray<
  [
    name: string,
    type: Parameters<typeof columnOf>[0],
    cell: fc.Arbitrary<Cell>,
    create: () => Accumulator,
    expected: (rows: Dealt) => unknown,
  ]
> = [
  [
    'COUNT of rows',
    'int64',
    orNull(whole),
    () => countAccumulator(true),
    (rows) => [['count', perGroup((group) => rows.filter((row) => row.group === group).length)]],
  ],
  [
    'COUNT of a column',
    'string',
    orNull(text),
    () => countAccumulator(false),
    (rows) => [['count', perGroup((group) => cellsOf(rows, group).length)]],
  ],
  [
    'SUM of integers',
    'int64',
    orNull(whole),
    sumIntegersAccumulator,
    (rows) => [
      ['sum', perGroup((group) => cellsOf(rows, group).reduce((sum, cell) => sum + BigInt(cell), 0n))],
      ['count', perGroup((group) => cellsOf(rows, group).length)],
    ],
  ],
  ...(
    [
      ['int64', whole],
      ['timestamp', whole],
      ['float64', finite],
    ] as const
  ).flatMap(([type, cell]) =>
    (
      [
        ['MIN', -1],
        ['MAX', 1],
      ] as const
    ).map(([name, sign]): (typeof exact)[number] => [
      `${name} of ${type}`,
      type,
      orNull(cell),
      () => extremeAccumulator(type, sign),
      (rows) => [
        [
          'value',
          perGroup((group) =>
            extreme(
              cellsOf(rows, group).map((one) => Number(one) + 0),
              sign,
            ),
          ),
        ],
      ],
    ]),
  ),
  ...(
    [
      ['MIN', -1],
      ['MAX', 1],
    ] as const
  ).flatMap(([name, sign]): (typeof exact)[number][] => [
    [
      `${name} of text`,
      'string',
      orNull(text),
      () => extremeAccumulator('string', sign),
      (rows) => [
        [
          'value',
          perGroup((group) => {
            const sorted = cellsOf(rows, group)
              .map(String)
              .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
            return sorted.at(sign < 0 ? 0 : -1) ?? null
          }),
        ],
      ],
    ],
    [
      `${name} of booleans`,
      'bool',
      orNull(fc.boolean()),
      () => extremeAccumulator('bool', sign),
      (rows) => [
        [
          'value',
          perGroup((group) => {
            const found = extreme(cellsOf(rows, group).map(Number), sign)
            return found === null ? null : found === 1
          }),
        ],
      ],
    ],
  ]),
]
function extreme(values: readonly number[], sign: -1 | 1): number | null {
  if (values.length === 0) return null
  return sign < 0 ? Math.min(...values) : Math.max(...values)
}
for (const [name, type, cell, create, expected] of exact) {
  test(`${name}: exact over any split in any order, and empty as SQL has it`, () => {
    fc.assert(
      fc.property(dealt(cell), orders, (rows, order) => {
        const column = columnOf(
          type,
          rows.map((row) => row.cell),
        )
        const all = said(atOnce(create, column, rows))
        assert.deepEqual(all, expected(rows))
        assert.deepEqual(said(merged(create, column, rows, order)), all)
        const reversed = rows.toReversed()
        assert.deepEqual(
          said(
            atOnce(
              create,
              columnOf(
                type,
                reversed.map((row) => row.cell),
              ),
              reversed,
            ),
          ),
          all,
        )
      }),
    )
  })
}

const money = fc.double({ min: 2 ** -20, max: 2 ** 20, noNaN: true })
const signed = fc.tuple(money, fc.boolean()).map(([value, negative]): Cell => (negative ? -value : value))
/** 2^80 times a double of at least 2^-20 in size is an integer: its last bit stands for 2^-72 or more. */
const SCALE = 2 ** 80
const exactSum = (values: readonly number[]) =>
  Number(values.reduce((sum, value) => sum + BigInt(value * SCALE), 0n)) / SCALE
const lastBit = (value: number) => 2 ** (Math.floor(Math.log2(Math.abs(value) || Number.MIN_VALUE)) - 52)

test('SUM of floats: over any split in any order within the last bit of the exact sum', () => {
  fc.assert(
    fc.property(dealt(orNull(signed)), orders, (rows, order) => {
      const column = columnOf(
        'float64',
        rows.map((row) => row.cell),
      )
      for (const state of [
        atOnce(sumFloatsAccumulator, column, rows),
        merged(sumFloatsAccumulator, column, rows, order),
      ]) {
        const [sums, compensations, counts] = state.columns(GROUPS).map((named) => named.column)
        for (let group = 0; group < GROUPS; group++) {
          const values = cellsOf(rows, group).map(Number)
          assert.equal(valueAt(counts!, group), values.length)
          const found = Number(valueAt(sums!, group)) + Number(valueAt(compensations!, group))
          const wanted = exactSum(values)
          // The term of second order only shows where the sum nearly cancels out.
          const second =
            values.length ** 2 * 2 ** -105 * values.reduce((sum, value) => sum + Math.abs(value), 0)
          assert.ok(Math.abs(found - wanted) <= lastBit(wanted) + second, `${found} is not ${wanted}`)
        }
      }
    }),
  )
})

test('SUM of floats: what naive addition loses is kept', () => {
  const rows = [1, 1e100, 1, -1e100].map((cell) => ({ cell, group: 0, part: 0 }))
  const [sum, compensation] = atOnce(
    sumFloatsAccumulator,
    columnOf(
      'float64',
      rows.map(({ cell }) => cell),
    ),
    rows,
  ).columns(1)
  assert.equal(Number(valueAt(sum!.column, 0)) + Number(valueAt(compensation!.column, 0)), 2)
})

test('SUM of integers: exact beyond 2^53, up and down again', () => {
  const top = Number.MAX_SAFE_INTEGER
  const rows = [top, top, 1, -top, top, top, -1].map((cell) => ({ cell, group: 1, part: 0 }))
  const column = columnOf(
    'int64',
    rows.map(({ cell }) => cell),
  )
  assert.deepEqual(said(atOnce(sumIntegersAccumulator, column, rows)), [
    ['sum', [0n, 3n * BigInt(top), 0n]],
    ['count', [0, 7, 0]],
  ])
})

const NOWHERE = { slot: 0, times: new Float64Array(2), rowNumbers: new Float64Array(2) }
test('every aggregate: a column that is not there is all null', () => {
  for (const create of [
    () => countAccumulator(false),
    sumIntegersAccumulator,
    sumFloatsAccumulator,
    () => extremeAccumulator('string', 1),
    varianceAccumulator,
    () => firstLastAccumulator('bool', -1),
  ]) {
    const absent = create()
    absent.reserve(GROUPS)
    absent.update(undefined, Uint32Array.of(0, 1), Uint32Array.of(0, 1), 2, NOWHERE)
    const empty = create()
    empty.reserve(GROUPS)
    assert.deepEqual(said(absent), said(empty))
  }
})
