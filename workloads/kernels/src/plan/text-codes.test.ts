import assert from 'node:assert/strict'
import { test } from 'node:test'
import { textsOf, Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import fc from 'fast-check'
import { TextCodes } from './text-codes.ts'

const anyText = fc.oneof(fc.constantFrom('', 'a', 'aa', 'ü'), fc.string({ unit: 'grapheme', maxLength: 40 }))

function codesOf(codes: TextCodes, texts: readonly string[]): number[] {
  const { bytes, ends } = Utf8Dictionary.of(texts)
  return texts.map((_, entry) => codes.codeOf(bytes, entry === 0 ? 0 : ends[entry - 1]!, ends[entry]!))
}

test('TextCodes: equal texts have equal codes, from 0 in order of appearance, and a code gives its text', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 300 }), (texts) => {
      const codes = new TextCodes()
      const distinct = [...new Set(texts)]
      assert.deepEqual(
        codesOf(codes, texts),
        texts.map((text) => distinct.indexOf(text)),
      )
      assert.deepEqual(textsOf(codes.dictionary()), distinct)
      assert.equal(codes.size, distinct.length)
    }),
  )
})

test('TextCodes: it grows, and what a dictionary told before stays', () => {
  const codes = new TextCodes()
  const texts = Array.from({ length: 20_000 }, (_, at) => `text ${(at * 7_919) % 10_000}`)
  codesOf(codes, texts.slice(0, 100))
  const early = codes.dictionary()
  const again = codesOf(codes, texts)
  assert.equal(codes.size, 10_000)
  assert.ok(again.every((code, at) => code === at % 10_000))
  assert.deepEqual(textsOf(early), texts.slice(0, 100))
})
