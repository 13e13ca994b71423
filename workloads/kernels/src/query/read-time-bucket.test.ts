import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readTimeBucket } from './read-time-bucket.ts'

const cases: ReadonlyArray<[text: string, expected: number]> = [
  ['1us', 1],
  ['250ms', 250_000],
  ['1s', 1_000_000],
  ['1m', 60_000_000],
  ['2h', 7_200_000_000],
  ['1d', 86_400_000_000],
]
for (const [text, expected] of cases) {
  test(`readTimeBucket: ${text}`, () => assert.equal(readTimeBucket(text, 'group_by[0]'), expected))
}
for (const text of ['', '0m', '1', 'm', '1.5m', '-1m', '1y', '104249991375d']) {
  test(`readTimeBucket: refuses '${text}'`, () => {
    assert.throws(() => readTimeBucket(text, 'group_by[0]'), { code: 'TN_QUERY_INVALID' })
  })
}
