/** A value of a partition key column: null, UTF-8 text, or a number or boolean in its canonical text. */
export type PartitionKeyValue = string | number | boolean | null

const PRIME_1 = 0x9e3779b1
const PRIME_2 = 0x85ebca77
const PRIME_3 = 0xc2b2ae3d
const PRIME_4 = 0x27d4eb2f
const PRIME_5 = 0x165667b1
const NULL_LENGTH = 0xffffffff

/**
 * The bytes that are hashed: for each key column, in order, the byte length as u32 little-endian and the UTF-8 text
 * (strings as they are; integers in decimal; floats as ECMAScript prints them; `true`/`false`). Null is the length
 * 0xffffffff alone. Lengths in front keep ("a","bc") and ("ab","c") apart. Vectors: partition-hash.test.ts.
 */
export function partitionKeyBytes(values: readonly PartitionKeyValue[]): Uint8Array {
  const parts: Buffer[] = []
  for (const value of values) {
    const length = Buffer.alloc(4)
    if (value === null) {
      length.writeUInt32LE(NULL_LENGTH)
      parts.push(length)
      continue
    }
    const text = Buffer.from(String(Object.is(value, -0) ? 0 : value), 'utf8')
    length.writeUInt32LE(text.length)
    parts.push(length, text)
  }
  return Buffer.concat(parts)
}

const rotate = (x: number, bits: number) => (x << bits) | (x >>> (32 - bits))

/**
 * xxHash32 with seed 0, as an unsigned 32-bit number.
 * Cost: O(bytes), no allocation. Source: xxHash specification 0.1.1, "XXH32 algorithm description" (Collet).
 */
export function xxHash32(bytes: Uint8Array): number {
  const { length } = bytes
  const word = (at: number) =>
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  let at = 0
  let hash: number
  if (length >= 16) {
    const lanes = [(PRIME_1 + PRIME_2) | 0, PRIME_2 | 0, 0, -PRIME_1 | 0] as [number, number, number, number]
    for (; at <= length - 16; at += 16) {
      for (let lane = 0; lane < 4; lane++) {
        const mixed = (lanes[lane]! + Math.imul(word(at + lane * 4), PRIME_2)) | 0
        lanes[lane] = Math.imul(rotate(mixed, 13), PRIME_1)
      }
    }
    hash = (rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18)) | 0
  } else {
    hash = PRIME_5
  }
  hash = (hash + length) | 0
  for (; at <= length - 4; at += 4) {
    hash = (hash + Math.imul(word(at), PRIME_3)) | 0
    hash = Math.imul(rotate(hash, 17), PRIME_4)
  }
  for (; at < length; at++) {
    hash = (hash + Math.imul(bytes[at]!, PRIME_5)) | 0
    hash = Math.imul(rotate(hash, 11), PRIME_1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2)
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** The slot, and so the Kafka partition, of an event: xxHash32 of its partition key, modulo the table's slots. */
export function slotOf(values: readonly PartitionKeyValue[], slots: number): number {
  return xxHash32(partitionKeyBytes(values)) % slots
}
