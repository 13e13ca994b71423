import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createJsonDepthScanner } from './json-depth.ts'

const scan = (text: string, depthMax: number, chunkBytes = text.length + 1) => {
  const within = createJsonDepthScanner(depthMax)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunkBytes)
    if (!within(bytes.subarray(at, at + chunkBytes))) return false
  return true
}
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

test('json depth: agrees with the parsed value, wherever the chunks are cut', () => {
  const text = fc.constantFrom('', '[', '{', '"', '\\', '\\"[', 'ü[', ']}')
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      text,
      fc.integer(),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(text, tie('json'), { maxKeys: 3 }),
    ),
  }))
  fc.assert(
    fc.property(
      json,
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 0, max: 8 }),
      (value, chunkBytes, depthMax) => {
        assert.equal(scan(JSON.stringify(value), depthMax, chunkBytes), depthOf(value) <= depthMax)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('json depth: neighbours do not add up', () => {
  assert.equal(scan(`[${'[],'.repeat(1_000)}[]]`, 2), true)
  assert.equal(scan('[[[]]]', 2), false)
})
