import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ownedFields } from './owned-fields.ts'

const json = fc.jsonValue({ maxDepth: 4 })
const cases: ReadonlyArray<[what: string, object: unknown, wanted: unknown, owned: unknown]> = [
  ['defaults of the server are left out', { a: 1, b: 2 }, { a: 1 }, { a: 1 }],
  ['a changed value is seen', { a: 2 }, { a: 1 }, { a: 2 }],
  ['a field that is gone is undefined', {}, { a: 1 }, { a: undefined }],
  ['defaults inside a list element', { l: [{ a: 1, b: 2 }] }, { l: [{ a: 1 }] }, { l: [{ a: 1 }] }],
  ['a list that grew is taken whole', { l: [1, 2] }, { l: [1] }, { l: [1, 2] }],
  ['a list that became something else', { l: 'x' }, { l: [1] }, { l: 'x' }],
  ['an object that became a list', { o: [] }, { o: { a: 1 } }, { o: [] }],
  ['an empty wish owns nothing', { o: { a: 1 } }, { o: {} }, { o: {} }],
  ['nothing there', undefined, { a: 1 }, undefined],
]
for (const [what, object, wanted, owned] of cases) {
  test(`ownedFields: ${what}`, () => assert.deepEqual(ownedFields(object, wanted), owned))
}

test('ownedFields: of itself it is the same, in one order of keys whatever the order was', () => {
  fc.assert(
    fc.property(json, (value) => {
      const owned = ownedFields(value, value)
      assert.deepEqual(JSON.parse(JSON.stringify(owned)), JSON.parse(JSON.stringify(value)))
      assert.equal(JSON.stringify(ownedFields(reversed(value), value)), JSON.stringify(owned))
    }),
  )
})

test('ownedFields: taken twice it is what it was', () => {
  fc.assert(
    fc.property(json, json, (object, wanted) => {
      const owned = ownedFields(object, wanted)
      assert.equal(JSON.stringify(ownedFields(owned, wanted)), JSON.stringify(owned))
    }),
  )
})

/** The same value with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  )
}
