import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'

export type Cell = string | number | boolean | null
/**
 * few: a handful of values. many: hardly one twice. wild: the ends of the type, and texts that break careless code. huge:
 * integers whose sum leaves int64 after a thousand rows.
 */
export type CellStyle = 'few' | 'many' | 'wild' | 'huge'
/** Append time of the first record, µs. */
export const START_US = 1_700_000_000_000_000

const WILD_TEXTS = ['', ' ', '%', '_', 'a%b', 'a_b', 'a\\b', '\\', '\\%', "o'clock", '"', 'ü', 'e\u0301', '\u{1f600}', '\uffff', '日本', 'a\nb', 'NULL', '0'] // biome-ignore format: one line
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
  },
  int64: {
    few: fc.integer({ min: -3, max: 3 }),
    many: fc.integer({ min: -100_000, max: 100_000 }),
    wild: fc.oneof(fc.constantFrom(0, MOST, -MOST, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 - 1), integer),
    huge: fc.constantFrom(MOST, MOST - 1),
  },
  float64: {
    few: fc.constantFrom(0, -0, 0.1, 0.5, -1.5, 1e6),
    many: half,
    wild: fc.oneof(
      fc.constantFrom(0, -0, 1e300, -1e300, MAX_VALUE, MIN_VALUE, -MIN_VALUE, 1e-300, 1, 2 ** 53, 0.1),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
  },
  bool: { few: fc.boolean() },
  timestamp: { few: fc.constantFrom(START_US, START_US + 1, 0), many: instant(10_000_000) },
}

/** The styles that a type has. */
export const cellStyles = (type: ColumnType): CellStyle[] => Object.keys(CELLS[type]) as CellStyle[]

/** Values of a column; of a nullable one every fourth is null. */
export function arbitraryCell(type: ColumnType, style: CellStyle, nullable: boolean): fc.Arbitrary<Cell> {
  const cell = CELLS[type][style] ?? fc.constant(null)
  return nullable ? fc.option(cell, { nil: null, freq: 3 }) : cell
}

/** SQL text carries no NUL, and half a surrogate pair has no UTF-8: the gateway refuses both. */
function isPlainText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000')
}
