import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c, crc32cByTable } from './crc32c.ts'

/** RFC 3720, appendix B.4, and the check value of the CRC catalogues. */
const published: ReadonlyArray<[name: string, bytes: Uint8Array, expected: number]> = [
  ['32 bytes of zero', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of 0xff', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['0x00 to 0x1f', Uint8Array.from({ length: 32 }, (_, at) => at), 0x46dd794e],
  ['0x1f to 0x00', Uint8Array.from({ length: 32 }, (_, at) => 31 - at), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(), 0],
]
for (const [name, bytes, expected] of published) {
  test(`crc32c: published vector: ${name}`, () => assert.equal(crc32c(bytes), expected))
}

/** The definition, a bit at a time. */
function byDefinition(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

test('crc32c: agrees with its definition, for any part of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), fc.nat(80), (bytes, one, other) => {
      const start = Math.min(one, other, bytes.length)
      const end = Math.min(Math.max(one, other), bytes.length)
      assert.equal(crc32c(bytes, start, end), byDefinition(bytes.subarray(start, end)))
    }),
    { numRuns: 2_000 },
  )
})

/** Lengths about what the kernel takes at all, what it clears without the table, and one and two of its pieces. */
const LENGTHS = [1_023, 1_024, 1_477, 1_478, 1_479, 2_955, 2_956, 262_143, 262_144, 262_145, 263_167, 530_000]

test('crc32c: the kernel and its twin agree, wherever the bytes begin and end, and leave them as they are', () => {
  const around = fc.tuple(fc.constantFrom(...LENGTHS), fc.integer({ min: 0, max: 40 }))
  const length = fc.oneof(
    fc.integer({ min: 1_024, max: 12_000 }),
    around.map(([at, more]) => at + more),
  )
  fc.assert(
    fc.property(length, fc.nat(20), fc.integer(), (length, start, seed) => {
      const bytes = new Uint8Array(start + length + 5)
      for (let at = 0, state = seed | 1; at < bytes.length; at++) {
        state = Math.imul(state, 0x9e3779b1) ^ (state >>> 15)
        bytes[at] = state >>> 24
      }
      const before = crc32cByTable(bytes)
      assert.equal(crc32c(bytes, start, start + length), crc32cByTable(bytes, start, start + length))
      assert.equal(crc32cByTable(bytes), before)
    }),
    { numRuns: 400 },
  )
})
