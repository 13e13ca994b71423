import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overdue, UNREACHABLE_MS_MAX } from './overdue.ts'

const deletedMs = Date.parse('2026-01-01T00:00:00Z')
const metadata = { name: 'demo', namespace: 'apps', uid: 'u', generation: 1 }
const at = (ms: number) => ({ nowUs: () => (deletedMs + ms) * 1_000, monotonicMs: () => 0 })
const cases: ReadonlyArray<
  [what: string, deletionTimestamp: string | undefined, ms: number, expected: boolean]
> = [
  ['at once', '2026-01-01T00:00:00Z', 0, false],
  ['at the last moment', '2026-01-01T00:00:00Z', UNREACHABLE_MS_MAX, false],
  ['just after', '2026-01-01T00:00:00Z', UNREACHABLE_MS_MAX + 1, true],
  ['a clock behind the API server’s', '2026-01-01T00:00:00Z', -5_000, false],
  ['not deleted at all', undefined, 1e12, false],
  ['a time that cannot be read', 'soon', 1e12, false],
]
for (const [what, deletionTimestamp, ms, expected] of cases) {
  test(`overdue: ${what}`, () => {
    const object = deletionTimestamp === undefined ? metadata : { ...metadata, deletionTimestamp }
    assert.equal(overdue(object, at(ms)), expected)
  })
}
