import fc from 'fast-check'
import type { Column, WireType } from '../src/wire/column.ts'

const INTEGER_MAX = Number.MAX_SAFE_INTEGER
const integer = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, INTEGER_MAX, -INTEGER_MAX, 4_294_967_295, 4_294_967_296, -4_294_967_296, -1),
)
/** A time and what lies within an hour of it: the range that blocks are made of. */
const nearby = fc.integer({ min: 0, max: 3_600_000_000 }).map((offset) => 1_700_000_000_000_000 + offset)
const double = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE),
)

const doubles = (rowCount: number, value: fc.Arbitrary<number>) =>
  fc.array(value, { minLength: rowCount, maxLength: rowCount }).map((values) => Float64Array.from(values))
const bytes = (count: number, max: number) => fc.uint8Array({ minLength: count, maxLength: count, max })

const strings = (rowCount: number): fc.Arbitrary<Column> =>
  fc
    .array(fc.string({ unit: 'grapheme', maxLength: 5 }), { minLength: rowCount > 0 ? 1 : 0, maxLength: 5 })
    .chain((dictionary) =>
      fc
        .array(fc.nat(Math.max(0, dictionary.length - 1)), { minLength: rowCount, maxLength: rowCount })
        .map((codes) => ({ type: 'string', codes: Uint32Array.from(codes), dictionary })),
    )

/** Columns of one type and length as an encoder may meet them, with and without nulls. */
export const arbitraryColumn = (type: WireType, rowCount: number): fc.Arbitrary<Column> =>
  fc
    .tuple(plainColumn(type, rowCount), fc.option(bytes(Math.ceil(rowCount / 8), 255), { nil: undefined }))
    .map(([column, validity]) => (validity === undefined ? column : { ...column, validity }))

function plainColumn(type: WireType, rowCount: number): fc.Arbitrary<Column> {
  switch (type) {
    case 'string':
      return strings(rowCount)
    case 'int64':
    case 'timestamp':
      return fc
        .oneof(doubles(rowCount, integer), doubles(rowCount, nearby))
        .map((values) => ({ type, values }))
    case 'float64':
      return doubles(rowCount, double).map((values) => ({ type, values }))
    case 'bool':
      return bytes(rowCount, 1).map((values) => ({ type, values }))
    case 'id128':
      return bytes(rowCount * 16, 255).map((values) => ({ type, values }))
    case 'int128': {
      const value = fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n })
      return fc.array(value, { minLength: rowCount, maxLength: rowCount }).map((values) => ({ type, values }))
    }
    case 'bytes':
      return fc
        .array(fc.uint8Array({ maxLength: 6 }), { minLength: rowCount, maxLength: rowCount })
        .map((values) => ({ type, values }))
  }
}

export const WIRE_TYPES: readonly WireType[] = [
  'string',
  'int64',
  'float64',
  'bool',
  'timestamp',
  'id128',
  'int128',
  'bytes',
]

/** Any type, any nulls. */
export const anyColumn = (rowCount: number): fc.Arbitrary<Column> =>
  fc.constantFrom(...WIRE_TYPES).chain((type) => arbitraryColumn(type, rowCount))
