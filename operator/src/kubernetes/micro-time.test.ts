import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { microTime } from './micro-time.ts'

test('microTime: every microsecond comes back, in six digits', () => {
  const us = fc.integer({ min: 0, max: Date.UTC(2250, 0) * 1_000 })
  fc.assert(
    fc.property(us, (at) => {
      const text = microTime.format(at)
      assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      assert.equal(microTime.parse(text), at)
    }),
  )
})

const cases: ReadonlyArray<[text: string, us: number | undefined]> = [
  ['1970-01-01T00:00:00.000001Z', 1],
  ['1970-01-01T00:00:01Z', 1_000_000],
  ['1970-01-01T00:00:00.5Z', 500_000],
  ['1970-01-01T00:00:00.123456789Z', 123_456],
  ['1970-01-01T01:00:00.000002+01:00', 2],
  ['1970-13-01T00:00:00Z', undefined],
  ['1970-01-01', undefined],
  ['', undefined],
]
for (const [text, us] of cases) {
  test(`microTime: parse '${text}'`, () => assert.equal(microTime.parse(text), us))
}
