import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Hash64, murmur3, murmur3OfWords } from './murmur3.ts'

/** As the Python package mmh3, which wraps Appleby's own code, hashes them (x64arch=False, seed 0): h1 and h2. */
const vectors: ReadonlyArray<[text: string, high: number, low: number]> = [
  ['', 0, 0],
  ['a', 0xa794933c, 0x5556b01b],
  ['abc', 0x75cdc6d1, 0xa2b006a5],
  ['hello', 0x2b2444a0, 0xdb91def7],
  ['Hello, world!', 0x26acdba7, 0xf0638dfc],
  ['The quick brown fox jumps over the lazy dog', 0x2f1583c3, 0xecee2c67],
  ['0123456789abcdef', 0xfb7d4409, 0x36aed30a],
  ['ü€😀', 0x8fcca08c, 0xeb71ab2f],
]
test('murmur3: vectors of MurmurHash3_x86_128, first 64 bits', () => {
  const target: Hash64 = { high: 0, low: 0 }
  for (const [text, high, low] of vectors) {
    const bytes = Buffer.from(text, 'utf8')
    murmur3(bytes, bytes.length, target)
    assert.deepEqual([target.high >>> 0, target.low >>> 0], [high, low], text)
  }
})

test('murmur3: two words hash as their eight bytes do', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), (first, second) => {
      const bytes = new Uint8Array(Uint32Array.of(first, second).buffer)
      const [one, two]: [Hash64, Hash64] = [
        { high: 0, low: 0 },
        { high: 0, low: 0 },
      ]
      murmur3(bytes, 8, one)
      murmur3OfWords(first, second, two)
      assert.deepEqual(one, two)
    }),
  )
})
