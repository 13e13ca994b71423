import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareText } from './text-order.ts'

/** Texts around the place where UTF-16 units and code points disagree: U+E000..U+FFFF stand below U+10000. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc
    .array(fc.constantFrom('a', '\u007f', '\u0080', '\ud7ff', '\ue000', '\uffff', '𐀀', '😀', '\u{10ffff}'), {
      maxLength: 4,
    })
    .map((characters) => characters.join('')),
)

test('compareText: orders as the UTF-8 bytes do', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(compareText(a, b), Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8')))
    }),
    { numRuns: 2_000 },
  )
})

test('compareText: differs from the order of UTF-16 units where it must', () => {
  assert.equal(compareText('\uffff', '😀'), -1)
  assert.ok('\uffff' > '😀')
  assert.deepEqual(['😀', '\ue000', 'z', ''].toSorted(compareText), ['', 'z', '\ue000', '😀'])
})
