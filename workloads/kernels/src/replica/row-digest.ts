import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { textHash } from '../hashing/text-hash.ts'

/** Two words over rows in their order: equal rows in equal order give equal words, and nothing else should. */
export type RowDigest = { a: number; b: number }
export const emptyDigest = (): RowDigest => ({ a: 0x811c9dc5, b: 0x9747b28c })

const NULL = 0x6e756c6c

/** Takes rows `rows[0 .. rowCount)` into a digest. Cost: O(rowCount) a column, and once a dictionary entry. */
export function digestRows(
  digest: RowDigest,
  columns: readonly Column[],
  rows: Uint32Array,
  rowCount: number,
): void {
  const mixed = new Int32Array(rowCount)
  for (const column of columns) mixColumn(column, rows, rowCount, mixed)
  let { a, b } = digest
  for (let index = 0; index < rowCount; index++) {
    const row = mixed[index]!
    a = Math.imul(a ^ row, 0x01000193) >>> 0
    b = (Math.imul(b ^ (row >>> 7) ^ (row << 11), 0x85ebca6b) + 1) >>> 0
  }
  digest.a = a
  digest.b = b
}

/** Mixes in a 32-bit hash of each row's value, from its bytes; null has its own. */
function mixColumn(column: Column, rows: Uint32Array, rowCount: number, mixed: Int32Array): void {
  const hashes = new Int32Array(rowCount)
  hashValues(column, rows, rowCount, hashes)
  if (column.validity === undefined) {
    for (let index = 0; index < rowCount; index++)
      mixed[index] = Math.imul(mixed[index]!, 31) + hashes[index]!
    return
  }
  for (let index = 0; index < rowCount; index++) {
    const row = rows[index]!
    mixed[index] = Math.imul(mixed[index]!, 31) + (isValid(column, row) ? hashes[index]! : NULL)
  }
}

/** One loop a type: the engine keeps each of them fast. */
function hashValues(column: Column, rows: Uint32Array, rowCount: number, hashes: Int32Array): void {
  switch (column.type) {
    case 'string': {
      const { codes, dictionary } = column
      const known = Int32Array.from(dictionary, textHash)
      for (let index = 0; index < rowCount; index++) hashes[index] = known[codes[rows[index]!]!]!
      return
    }
    case 'id128': {
      const { values } = column
      for (let index = 0; index < rowCount; index++) {
        const from = rows[index]! * 16
        let hash = 0
        for (let at = from; at < from + 16; at++) hash = (Math.imul(hash, 31) + values[at]!) | 0
        hashes[index] = hash
      }
      return
    }
    case 'bool': {
      for (let index = 0; index < rowCount; index++) hashes[index] = column.values[rows[index]!]! + 1
      return
    }
    case 'int128':
    case 'bytes':
      throw new TypeError(`${column.type} is a type of partial results, not of columns`)
    default: {
      const { buffer, byteOffset, length } = column.values
      const words = new Int32Array(buffer, byteOffset, length * 2)
      for (let index = 0; index < rowCount; index++) {
        const row = rows[index]!
        hashes[index] = Math.imul(words[row * 2 + 1]!, 0x9e3779b1) ^ words[row * 2]!
      }
    }
  }
}
