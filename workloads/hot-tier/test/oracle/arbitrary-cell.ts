import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'

export type Cell = string | number | boolean | null
/**
 * few: a handful of values. many: hardly one twice. wild: the ends of the type, and texts that break careless code. huge,
 * deep: integers whose sum leaves int64 after a thousand rows. close: values that differ in their last bits only.
 * long: texts of hundreds to thousands of characters.
 */
export type CellStyle = 'few' | 'many' | 'wild' | 'huge' | 'deep' | 'close' | 'long'
/** How many of a column's cells are null; `all` and `some` need a nullable one. */
export type Nulls = 'none' | 'some' | 'all'
/** Append time of the first record, µs. */
export const START_US = 1_700_000_000_000_000

const WILD_TEXTS = ['', ' ', '%', '_', 'a%b', 'a_b', 'a\\b', '\\', '\\%', '\\_', "o'clock", '"', 'ü', 'u\u0308', 'e\u0301', '\u{1f600}', '\u{1f468}\u200d\u{1f469}', '\ue000', '\uffff', '\u{10000}', '\u{1f600}a', 'a\u{1f600}b', '\u{1f600}\u{10000}', '日本', 'שלום', 'a\nb', 'NULL', '0', 'a ', 'A'] // biome-ignore format: one line
const LONG_TEXTS = ['a'.repeat(300), `${'a'.repeat(299)}b`, `${'ü'.repeat(1_000)}%`, `x${'y'.repeat(4_000)}`, `x${'y'.repeat(3_999)}z`] // biome-ignore format: one line
const { MAX_SAFE_INTEGER: MOST, MAX_VALUE, MIN_VALUE } = Number
const half = fc.integer({ min: -200, max: 200 }).map((number) => number / 2)
// 0 - 0 is 0, where Math.trunc and the like leave -0: an int64 has none.
const integer = fc.maxSafeInteger().map((number) => number + 0)
const instant = (spanUs: number) => fc.integer({ min: -spanUs, max: spanUs }).map((us) => START_US + us)

const CELLS: Readonly<Record<ColumnType, Readonly<Partial<Record<CellStyle, fc.Arbitrary<Cell>>>>>> = {
  string: {
    few: fc.constantFrom('a', 'b', 'ab', 'us-east', 'us-west', 'A', ''),
    many: fc.nat(5_000).map((number) => `u${number}`),
    wild: fc.oneof(
      fc.constantFrom(...WILD_TEXTS),
      fc.string({ unit: 'grapheme', maxLength: 4 }).filter(isPlainText),
    ),
    long: fc.constantFrom(...LONG_TEXTS),
  },
  int64: {
    few: fc.integer({ min: -3, max: 3 }),
    many: fc.integer({ min: -100_000, max: 100_000 }),
    wild: fc.oneof(fc.constantFrom(0, MOST, -MOST, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 - 1), integer),
    huge: fc.constantFrom(MOST, MOST - 1),
    deep: fc.constantFrom(-MOST, 1 - MOST),
  },
  float64: {
    few: fc.constantFrom(0, -0, 0.1, 0.5, -1.5, 1e6),
    many: half,
    wild: fc.oneof(
      fc.constantFrom(0, -0, 1e300, -1e300, MAX_VALUE, MIN_VALUE, -MIN_VALUE, 1e-300, 1, 2 ** 53, 0.1),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
    close: fc.nat(9).map((number) => 1e9 + number / 1_024),
  },
  bool: { few: fc.boolean() },
  timestamp: { few: fc.constantFrom(START_US, START_US + 1, 0), many: instant(10_000_000) },
}

/** The styles that a type has. */
export const cellStyles = (type: ColumnType): CellStyle[] => Object.keys(CELLS[type]) as CellStyle[]

/** Values of a column; where some are null, every fourth is. */
export function arbitraryCell(type: ColumnType, style: CellStyle, nulls: Nulls): fc.Arbitrary<Cell> {
  const cell = CELLS[type][style] ?? fc.constant(null)
  if (nulls === 'all') return fc.constant(null)
  return nulls === 'some' ? fc.option(cell, { nil: null, freq: 4 }) : cell
}

/** SQL text carries no NUL, and half a surrogate pair has no UTF-8: the gateway refuses both. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000')
}
