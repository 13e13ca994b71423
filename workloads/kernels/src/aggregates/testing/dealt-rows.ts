import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import { decodeColumnBatch, encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import fc from 'fast-check'
import type { Accumulator, RowPlaces } from '../accumulator.ts'

/*
 * What the tests of aggregates share: rows dealt to groups and to parts, and the state over all of them, at once or part
 * by part over the wire.
 */
export const GROUPS = 3
/** A value of a column in a test. */
export type Cell = string | number | boolean | null
/** Rows of one column: the value, its group, and the part that sees it. */
export type Dealt = ReadonlyArray<Readonly<{ cell: Cell; group: number; part: number; timeUs?: number }>>
export const PARTS = 4

/** Rows of any cells, dealt to groups and parts. */
export const dealt = (cell: fc.Arbitrary<Cell>): fc.Arbitrary<Dealt> =>
  fc.array(fc.record({ cell, group: fc.nat(GROUPS - 1), part: fc.nat(PARTS - 1) }), { maxLength: 60 })
export function columnOf(
  type: 'string' | 'int64' | 'float64' | 'bool' | 'timestamp',
  cells: readonly Cell[],
): Column {
  const validity = new Uint8Array(Math.ceil(cells.length / 8))
  for (const [row, cell] of cells.entries()) if (cell !== null) validity[row >>> 3]! |= 1 << (row & 7)
  const nulls = cells.includes(null) ? { validity } : {}
  if (type === 'bool') return { type, values: Uint8Array.from(cells, Number), ...nulls }
  if (type !== 'string') return { type, values: Float64Array.from(cells, Number), ...nulls }
  const dictionary = [...new Set(cells.map((cell) => String(cell ?? '')))]
  return {
    type,
    dictionary,
    codes: Uint32Array.from(cells, (cell) => dictionary.indexOf(String(cell ?? ''))),
    ...nulls,
  }
}

/** The state over some rows, told apart by part; every part goes over the wire and is merged, in the given order. */
export function merged(
  create: () => Accumulator,
  column: Column,
  rows: Dealt,
  order: readonly number[],
): Accumulator {
  const target = create()
  target.reserve(GROUPS)
  for (const part of order) {
    const mine = rows.flatMap((row, index) => (row.part === part ? [index] : []))
    const one = create()
    one.reserve(GROUPS)
    one.update(
      column,
      Uint32Array.from(mine),
      Uint32Array.from(mine, (row) => rows[row]?.group ?? 0),
      mine.length,
      placesOf(rows, part),
    )
    const sent = encodeColumnBatch({ rowCount: GROUPS, columns: one.columns(GROUPS) })
    const state = new Map(decodeColumnBatch(sent).columns.map((named) => [named.name, named.column]))
    target.merge((name) => state.get(name) as Column, Uint32Array.of(0, 1, 2), GROUPS)
  }
  return target
}
/** Where the rows stand when they are of one slot: numbered in the order given. */
const placesOf = (rows: Dealt, slot: number): RowPlaces => ({
  slot,
  times: Float64Array.from(rows, ({ timeUs }) => timeUs ?? 0),
  rowNumbers: Float64Array.from(rows.keys()),
})
/** The state over all rows, in one update. */
export function atOnce(create: () => Accumulator, column: Column, rows: Dealt): Accumulator {
  const one = create()
  one.reserve(GROUPS)
  const groups = Uint32Array.from(rows, ({ group }) => group)
  one.update(column, Uint32Array.from(rows.keys()), groups, rows.length, placesOf(rows, 0))
  return one
}
/** What a state says of each group. */
export const said = (accumulator: Accumulator) =>
  accumulator
    .columns(GROUPS)
    .map(({ name, column }) => [name, Array.from({ length: GROUPS }, (_, group) => valueAt(column, group))])
export const orders = fc.shuffledSubarray([0, 1, 2, 3], { minLength: PARTS, maxLength: PARTS })
export const cellsOf = (rows: Dealt, group: number) =>
  rows.flatMap(({ cell, group: own }) => (own === group && cell !== null ? [cell] : []))
export const perGroup = <T>(of: (group: number) => T): T[] =>
  Array.from({ length: GROUPS }, (_, group) => of(group))
