import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from './crc32c.ts'

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
