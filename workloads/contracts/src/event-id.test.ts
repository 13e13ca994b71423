import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeEventId, EVENT_ID_BYTES, encodeEventId } from './event-id.ts'

function encoded(id: string): Buffer {
  const target = Buffer.alloc(EVENT_ID_BYTES)
  encodeEventId(id, target, 0)
  return target
}

/** Bytes as they stand in Kafka and on volumes: they never change, or a retry after an upgrade would count twice. */
const golden: ReadonlyArray<[name: string, id: string, bytes: string]> = [
  ['one byte', 'a', '61000000000000000100000000000000'],
  ['eight bytes', 'abcdefgh', '61626364656667680800000000000000'],
  ['nine bytes, around the length', 'abcdefghi', '61626364656667680969000000000000'],
  ['fifteen bytes', 'abcdefghijklmno', '61626364656667680f696a6b6c6d6e6f'],
  ['nothing', '', '00000000000000000000000000000000'],
  ['a zero byte is no padding', 'a\0', '61000000000000000200000000000000'],
  ['a letter of two bytes across the length', 'abcdefgü', '61626364656667c309bc000000000000'],
  ['a UUID', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', 'f47ac10b58cc4372a5670e02b2c3d479'],
  ['the greatest UUID', 'ffffffff-ffff-ffff-bfff-ffffffffffff', 'ffffffffffffffffbfffffffffffffff'],
]
for (const [name, id, bytes] of golden) {
  test(`event id: golden bytes: ${name}`, () => {
    assert.equal(encoded(id).toString('hex'), bytes)
    assert.equal(decodeEventId(encoded(id), 0), id)
  })
}

const hashed: ReadonlyArray<[name: string, id: string]> = [
  ['sixteen bytes', 'abcdefghijklmnop'],
  ['fifteen letters of more than fifteen bytes', 'ü'.repeat(15)],
  ['a UUID in upper case', 'F47AC10B-58CC-4372-A567-0E02B2C3D479'],
  ['a UUID of no RFC 9562 variant', 'f47ac10b-58cc-4372-c567-0e02b2c3d479'],
  ['the nil UUID', '00000000-0000-0000-0000-000000000000'],
  ['36 characters that are no UUID', 'f47ac10b-58cc-4372-a567-0e02b2c3d47g'],
  ['the greatest length', 'x'.repeat(256)],
]
for (const [name, id] of hashed) {
  test(`event id: ${name} is hashed`, () => {
    const digest = hash('sha256', id, 'buffer').subarray(0, EVENT_ID_BYTES)
    digest[8]! |= 0xc0
    assert.equal(encoded(id).toString('hex'), digest.toString('hex'))
    assert.equal(decodeEventId(encoded(id), 0), `sha256:${digest.toString('hex')}`)
  })
}

const short = fc
  .string({ unit: 'binary', maxLength: 15 })
  .filter((id) => Buffer.byteLength(id) <= 15 && id.isWellFormed())
const dense = fc
  .string({ unit: fc.constantFrom('\0', 'a', 'ü'), maxLength: 15 })
  .filter((id) => Buffer.byteLength(id) <= 15)
const uuid = fc.uuid()
const long = fc.string({ unit: 'grapheme', minLength: 16, maxLength: 60 })
const any = fc.oneof(
  short,
  dense,
  uuid,
  long,
  uuid.map((id) => id.toUpperCase()),
)

test('event id: short ids and UUIDs come back exactly', () => {
  fc.assert(
    fc.property(fc.oneof(short, dense, uuid), (id) => assert.equal(decodeEventId(encoded(id), 0), id)),
    { numRuns: 3_000 },
  )
})

test('event id: equal ids give equal bytes, different ids different ones', () => {
  fc.assert(
    fc.property(any, any, (left, right) => {
      assert.equal(encoded(left).equals(encoded(right)), left === right)
    }),
    { numRuns: 3_000 },
  )
})

test('event id: byte 8 tells the three kinds apart', () => {
  const kind = (id: string) => encoded(id)[8]!
  fc.assert(fc.property(short, (id) => assert.equal(kind(id), Buffer.byteLength(id))))
  fc.assert(fc.property(uuid, (id) => assert.ok(kind(id) >= 0x80 && kind(id) <= 0xbf)))
  fc.assert(fc.property(long, (id) => assert.ok(kind(id) >= 0xc0)))
})

test('event id: writes its sixteen bytes and no other, whatever stood there', () => {
  fc.assert(
    fc.property(any, fc.nat(5), (id, at) => {
      const target = new Uint8Array(EVENT_ID_BYTES + 10).fill(0xaa)
      encodeEventId(id, target, at)
      assert.deepEqual(target.subarray(at, at + EVENT_ID_BYTES), Uint8Array.from(encoded(id)))
      const others = [...target.subarray(0, at), ...target.subarray(at + EVENT_ID_BYTES)]
      assert.ok(others.every((byte) => byte === 0xaa))
      assert.equal(decodeEventId(target, at), decodeEventId(encoded(id), 0))
    }),
  )
})
