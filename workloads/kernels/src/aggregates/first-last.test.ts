import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { firstLastAccumulator } from './first-last.ts'
import {
  type Cell,
  columnOf,
  type Dealt,
  dealt,
  GROUPS,
  merged,
  orders,
  perGroup,
} from './testing/dealt-rows.ts'

const types: ReadonlyArray<[type: Parameters<typeof columnOf>[0], cell: fc.Arbitrary<Cell>]> = [
  ['string', fc.string({ unit: 'grapheme', maxLength: 3 })],
  ['int64', fc.maxSafeInteger().map((value) => value + 0)],
  ['float64', fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)],
  ['bool', fc.boolean()],
  ['timestamp', fc.nat()],
]

/** What a person finds: the row that comes first in the stated order, the part being the slot. */
function chosen(rows: Dealt, sign: -1 | 1): Cell[] {
  return perGroup((group) => {
    const mine = [...rows.entries()].filter(([, row]) => row.group === group && row.cell !== null)
    mine.sort(
      ([rowA, a], [rowB, b]) =>
        ((b.timeUs ?? 0) - (a.timeUs ?? 0)) * sign || a.part - b.part || (rowB - rowA) * sign,
    )
    return mine[0]?.[1].cell ?? null
  })
}

for (const [type, cell] of types) {
  for (const [name, sign] of [
    ['FIRST', -1],
    ['LAST', 1],
  ] as const) {
    test(`${name} of ${type}: by event time, slot and log order, over any split in any order`, () => {
      const timed = dealt(fc.option(cell, { nil: null, freq: 4 })).chain((rows) =>
        fc
          .array(fc.nat(5), { minLength: rows.length, maxLength: rows.length })
          .map((times): Dealt => rows.map((row, index) => ({ ...row, timeUs: times[index] ?? 0 }))),
      )
      fc.assert(
        fc.property(timed, orders, (rows, order) => {
          const column: Column = columnOf(
            type,
            rows.map((row) => row.cell),
          )
          const state = merged(() => firstLastAccumulator(type, sign), column, rows, order)
          const [value] = state.columns(GROUPS)
          assert.deepEqual(
            perGroup((group) => valueAt(value!.column, group)),
            chosen(rows, sign),
          )
        }),
      )
    })
  }
}
