import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PairCodes } from './pair-codes.ts'

const word = fc.oneof(fc.nat(3), fc.constantFrom(2 ** 31, 2 ** 32 - 1), fc.nat(0xffff_ffff))

test('PairCodes: equal pairs have equal codes, from 0 in order of appearance', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(word, word), { maxLength: 300 }), (pairs) => {
      const codes = new PairCodes()
      const known = new Map<string, number>()
      for (const [low, high] of pairs) {
        const wanted = known.get(`${low} ${high}`) ?? known.size
        known.set(`${low} ${high}`, wanted)
        assert.equal(codes.codeOf(low, high), wanted)
      }
      assert.equal(codes.size, known.size)
    }),
  )
})

test('PairCodes: the halves of doubles come back as these doubles', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.double({ noNaN: true }), { comparator: 'SameValue' }), (values) => {
      const codes = new PairCodes()
      const halves = new Uint32Array(Float64Array.from(values).buffer)
      for (let at = 0; at < halves.length; at += 2) codes.codeOf(halves[at]!, halves[at + 1]!)
      assert.deepEqual([...codes.doubles()], values)
    }),
  )
})
