import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { TrueNowError } from '../errors.ts'
import type { ColumnType } from '../table-definition.ts'
import { decodeScalarList, encodeScalarList, type ListedScalar, scalarListCount } from './scalar-list-v1.ts'

/** One list of each type, one after the other in golden/scalar-list-v1.hex. */
const lists: ReadonlyArray<[type: ColumnType, values: readonly ListedScalar[]]> = [
  ['string', ['', 'a', 'b', 'ü€😀']],
  ['int64', [-5, 0, 9_007_199_254_740_991]],
  ['float64', [-0.5, 1e300, Number.POSITIVE_INFINITY]],
  ['bool', [0, 1]],
  ['timestamp', [1.7e15]],
]
const golden = readFileSync(new URL('../../golden/scalar-list-v1.hex', import.meta.url), 'utf8').replaceAll(
  /\s/g,
  '',
)

test('scalar list v1: golden bytes, in both directions', () => {
  const encoded = lists.map(([type, values]) => encodeScalarList(type, values.toReversed()))
  assert.equal(encoded.map((bytes) => Buffer.from(bytes).toString('hex')).join(''), golden)
  for (const [index, [type, values]] of lists.entries()) {
    assert.deepEqual(decodeScalarList(type, encoded[index]!), values)
    assert.equal(scalarListCount(encoded[index]!), values.length)
  }
})

test('scalar list v1: equal sets give equal bytes, whatever their order', () => {
  const text = fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 4 }), { maxLength: 20 })
  const numbers = fc.uniqueArray(
    fc.double().map((value) => (value === 0 ? 0 : value)),
    { maxLength: 20 },
  )
  const set = fc.oneof(
    text.map((values) => ['string', values] as const),
    numbers.map((values) => ['float64', values] as const),
  )
  fc.assert(
    fc.property(set, ([type, values]) => {
      const encoded = encodeScalarList(type, values)
      const decoded = decodeScalarList(type, encoded)
      assert.deepEqual(new Set(decoded), new Set<ListedScalar>(values))
      assert.deepEqual(encodeScalarList(type, decoded.toReversed()), encoded)
    }),
  )
})

test('scalar list v1: cut short, of another type or with any byte changed it is refused or another lawful list', () => {
  for (const [type, values] of lists) {
    const whole = encodeScalarList(type, values)
    const other = type === 'string' ? 'int64' : 'string'
    assert.throws(() => decodeScalarList(other, whole), { code: 'TN_BLOCK_CORRUPT' })
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => decodeScalarList(type, whole.subarray(0, length)), { code: 'TN_BLOCK_CORRUPT' })
    for (let at = 0; at < whole.length; at++) {
      for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        const bytes = Uint8Array.from(whole)
        bytes[at]! ^= mask
        try {
          const decoded = decodeScalarList(type, bytes)
          assert.equal(new Set(decoded).size, decoded.length)
        } catch (error) {
          assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
        }
      }
    }
  }
})
