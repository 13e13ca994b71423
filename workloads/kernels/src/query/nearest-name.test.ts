import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nearestName } from './nearest-name.ts'

const columns = ['region', 'product', 'user_id', 'latency_us', 'revenue', 'items']
const cases: ReadonlyArray<[name: string, expected: string | undefined]> = [
  ['regoin', 'region'],
  ['Region', 'region'],
  ['revenu', 'revenue'],
  ['latency', undefined],
  ['latency_ms', 'latency_us'],
  ['x', undefined],
  ['', undefined],
  ['r'.repeat(65), undefined],
]
for (const [name, expected] of cases) {
  test(`nearestName: '${name.slice(0, 12)}'`, () => assert.equal(nearestName(name, columns), expected))
}

test('nearestName: a name of the list is its own nearest', () => {
  fc.assert(fc.property(fc.constantFrom(...columns), (name) => nearestName(name, columns) === name))
})
