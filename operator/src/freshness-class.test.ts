import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freshnessClass } from './freshness-class.ts'

const cases: ReadonlyArray<[freshnessUs: number | undefined, expected: string]> = [
  [undefined, 'Unknown'],
  [0, '<1s'],
  [999_999, '<1s'],
  [1_000_000, '<10s'],
  [9_999_999, '<10s'],
  [10_000_000, '<1m'],
  [59_999_999, '<1m'],
  [60_000_000, 'Stale'],
  [Number.POSITIVE_INFINITY, 'Stale'],
]
for (const [freshnessUs, expected] of cases) {
  test(`freshnessClass: ${freshnessUs} µs`, () => assert.equal(freshnessClass(freshnessUs), expected))
}
