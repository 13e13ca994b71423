import type { Dictionary } from './dictionary.ts'
import type { Int128s } from './int128s.ts'

/**
 * One column of a batch in memory. `validity`: one bit a row, least significant first, 1 = a value is there; absent =
 * no null. Values under a 0 bit are zero. int64 and timestamp are safe integers (|v| < 2^53) held as doubles.
 * Codes are as wide as whoever made the column chose.
 */
export type Column =
  | Readonly<{ type: 'string'; codes: Codes; dictionary: Dictionary; validity?: Uint8Array }>
  | Readonly<{ type: 'int64' | 'timestamp' | 'float64'; values: Float64Array; validity?: Uint8Array }>
  | Readonly<{ type: 'bool'; values: Uint8Array; validity?: Uint8Array }>
  | Readonly<{ type: 'id128'; values: Uint8Array; validity?: Uint8Array }>
  | Readonly<{ type: 'int128'; values: Int128s; validity?: Uint8Array }>
  | Readonly<{ type: 'bytes'; values: readonly Uint8Array[]; validity?: Uint8Array }>

export type Codes = Uint8Array | Uint16Array | Uint32Array
export type WireType = Column['type']

/** True where row `row` holds a value. */
export function isValid(column: Column, row: number): boolean {
  return column.validity === undefined || ((column.validity[row >>> 3]! >>> (row & 7)) & 1) === 1
}

/** The value of one row as people see it: null, string, number, boolean or, for int128, bigint. Id and bytes as hex digits. */
export function valueAt(column: Column, row: number): string | number | boolean | bigint | null {
  if (!isValid(column, row)) return null
  switch (column.type) {
    case 'string':
      return column.dictionary.at(column.codes[row]!)!
    case 'bool':
      return column.values[row] === 1
    case 'id128':
      return Buffer.from(column.values.subarray(row * 16, row * 16 + 16)).toString('hex')
    case 'int128':
      return column.values.at(row)!
    case 'bytes':
      return Buffer.from(column.values[row]!).toString('hex')
    default:
      return column.values[row]!
  }
}
