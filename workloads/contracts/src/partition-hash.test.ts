import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PartitionKeyValue, partitionKeyBytes, slotOf, xxHash32 } from './partition-hash.ts'

/** The bytes of xxHash's own self-test: the top byte of a 32-bit number that is squared again and again. */
function sanityBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let generator = 2_654_435_761
  for (let at = 0; at < length; at++) {
    bytes[at] = generator >>> 24
    generator = Math.imul(generator, generator) >>> 0
  }
  return bytes
}

const published: ReadonlyArray<[name: string, bytes: Uint8Array, expected: number]> = [
  ['nothing', sanityBytes(0), 0x02cc5d05],
  ['self-test, 1 byte', sanityBytes(1), 0xb85cbee5],
  ['self-test, 14 bytes', sanityBytes(14), 0xe5aa0ab4],
  ['self-test, 101 bytes', sanityBytes(101), 0x1f1aa412],
  ['a', Buffer.from('a'), 0x550d7456],
  ['abc', Buffer.from('abc'), 0x32d153ff],
  ['abcdefgh, two words', Buffer.from('abcdefgh'), 0x0bb3c6bb],
  ['15 bytes, all but a stripe', Buffer.from('123456789ABCDEF'), 0x576e3cf9],
  ['16 bytes, one stripe', Buffer.from('abcdefghijklmnop'), 0x9d2d8b62],
  ['36 bytes, stripes and a word', Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789'), 0x42ae804d],
  ['39 bytes, stripes, a word and bytes', Buffer.from('Nobody inspects the spammish repetition'), 0xe2293b2f],
]
for (const [name, bytes, expected] of published) {
  test(`xxHash32: published vector: ${name}`, () => assert.equal(xxHash32(bytes), expected))
}

test('xxHash32: depends on the bytes alone, not on where they stand', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (bytes, shift) => {
      const around = new Uint8Array(bytes.length + 2 * shift).fill(0xaa)
      around.set(bytes, shift)
      assert.equal(xxHash32(around.subarray(shift, shift + bytes.length)), xxHash32(bytes))
    }),
  )
})

/** Ours; a producer in another language must give the same. They never change: events would move between slots. */
const golden: ReadonlyArray<
  [values: readonly PartitionKeyValue[], key: string, hash: number, slotOf8: number]
> = [
  [[], '', 0x02cc5d05, 5],
  [[''], '00000000', 0x08d6d969, 1],
  [[null], 'ffffffff', 0x04079e5f, 7],
  [['a'], '0100000061', 0x20c7fd33, 3],
  [['a', 'bc'], '0100000061020000006263', 0xe1aa92c8, 0],
  [['ab', 'c'], '0200000061620100000063', 0x1c09a8eb, 3],
  [['a', null], '0100000061ffffffff', 0x0be8628f, 7],
  [[null, 'a'], 'ffffffff0100000061', 0x7534f233, 3],
  [['ü€😀'], '09000000c3bce282acf09f9880', 0xcbfa21f6, 6],
  [[42], '020000003432', 0xa270d0b9, 1],
  [[-7], '020000002d37', 0x182f5508, 0],
  [[0.1], '03000000302e31', 0xa1d0047b, 3],
  [[1e21], '0500000031652b3231', 0xa1cb91f8, 0],
  [[9_007_199_254_740_991], '1000000039303037313939323534373430393931', 0x27d783be, 6],
  [[true, false], '04000000747275650500000066616c7365', 0xa41029fe, 6],
  [
    ['f47ac10b-58cc-4372-a567-0e02b2c3d479'],
    '2400000066343761633130622d353863632d343337322d613536372d306530326232633364343739',
    0x54c5534a,
    2,
  ],
]
for (const [values, key, hash, slot] of golden) {
  test(`partition hash: golden vector ${JSON.stringify(values)}`, () => {
    const bytes = partitionKeyBytes(values)
    assert.equal(Buffer.from(bytes).toString('hex'), key)
    assert.equal(xxHash32(bytes), hash)
    assert.equal(slotOf(values, 8), slot)
  })
}

test('partition hash: minus zero is zero', () => {
  assert.deepEqual(partitionKeyBytes([-0]), partitionKeyBytes([0]))
})

const text = fc.string({ unit: 'grapheme', maxLength: 6 })
const value = fc.oneof(text, fc.constant(null))

test('partition hash: different keys have different bytes', () => {
  const key = fc.array(value, { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(key, key, (left, right) => {
      const same = left.length === right.length && left.every((part, index) => part === right[index])
      assert.equal(Buffer.compare(partitionKeyBytes(left), partitionKeyBytes(right)) === 0, same)
    }),
    { numRuns: 2_000 },
  )
})

test('partition hash: a slot is one of the table’s, for any number of slots', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), fc.integer({ min: 1, max: 1_024 }), (values, slots) => {
      const slot = slotOf(values, slots)
      assert.ok(Number.isInteger(slot) && slot >= 0 && slot < slots)
    }),
  )
})

test('partition hash: many keys fill the slots evenly', () => {
  const slots = 16
  const counts = new Uint32Array(slots)
  for (let event = 0; event < 160_000; event++) counts[slotOf([`event-${event}`], slots)]!++
  // 10,000 expected with a standard deviation of 97: six of them are no accident.
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 600, `${counts}`)
})
