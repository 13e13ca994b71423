import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { likePattern } from './like-pattern.ts'

/** LIKE as the standard defines it, by recursion over code points. */
function like(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === '%') return like(text, rest) || (text.length > 0 && like(text.slice(1), pattern))
  return text.length > 0 && (first === '_' || first === text[0]) && like(text.slice(1), rest)
}

const letters = ['a', 'b', '\u{1f600}', '\n', '.', '\\']
const text = fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 })
const pattern = fc.string({ unit: fc.constantFrom(...letters, '%', '%', '_'), maxLength: 7 })

test('likePattern: equals the definition, over few letters and many wildcards', () => {
  fc.assert(
    fc.property(text, pattern, (given, wanted) => {
      assert.equal(likePattern(wanted)(given), like([...given], [...wanted]))
    }),
    { numRuns: 2_000 },
  )
})

test('likePattern: a text without wildcards is like itself only', () => {
  fc.assert(
    fc.property(text, text, (given, other) => {
      assert.equal(likePattern(given)(given), true)
      assert.equal(likePattern(given)(other), given === other)
    }),
  )
})

const cases: ReadonlyArray<[pattern: string, text: string, like: boolean]> = [
  ['', '', true],
  ['%', '', true],
  ['_', '', false],
  ['a%a', 'a', false],
  ['a%a', 'aa', true],
  ['%a%a%', 'a', false],
  ['_', '\u{1f600}', true],
  ['__', '\u{1f600}', false],
  ['a_c', 'a%c', true],
  ['A', 'a', false],
  ['%ab', 'aab', true],
]
for (const [wanted, given, expected] of cases) {
  test(`likePattern: ${JSON.stringify(given)} is ${expected ? '' : 'not '}like ${JSON.stringify(wanted)}`, () => {
    assert.equal(likePattern(wanted)(given), expected)
  })
}

test('likePattern: many wildcards over a long text that does not match take no exponential time', () => {
  const test = likePattern(`${'%a'.repeat(50)}%b`)
  const startedMs = performance.now()
  assert.equal(test('a'.repeat(20_000)), false)
  assert.ok(performance.now() - startedMs < 5_000)
})
