import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EVENT_TIME_US_MIN, eventTimeProblem } from './event-time-problem.ts'
import { NOW_US } from './testing/events-table.ts'

const SKEW_US = 60_000_000

test('eventTimeProblem: good exactly from 1973 to the clock plus the skew', () => {
  const near = (limit: number) => fc.integer({ min: -3, max: 3 }).map((offset) => limit + offset)
  const value = fc.oneof(fc.maxSafeInteger(), near(EVENT_TIME_US_MIN), near(NOW_US), near(NOW_US + SKEW_US))
  fc.assert(
    fc.property(value, (valueUs) => {
      const good = valueUs >= EVENT_TIME_US_MIN && valueUs <= NOW_US + SKEW_US
      assert.equal(eventTimeProblem(valueUs, NOW_US, SKEW_US) === undefined, good)
    }),
  )
})

test('eventTimeProblem: a time of our age in a wrong unit is told apart by its size', () => {
  const ageUs = fc.integer({ min: Date.UTC(2000, 0, 1) * 1_000, max: Date.UTC(2100, 0, 1) * 1_000 })
  fc.assert(
    fc.property(ageUs, (valueUs) => {
      const said = (value: number) => eventTimeProblem(value, NOW_US, SKEW_US) ?? 'good'
      assert.match(said(Math.floor(valueUs / 1_000)), /looks like milliseconds; send microseconds since 1970/)
      assert.match(said(Math.floor(valueUs / 1_000_000)), /looks like seconds; send microseconds since 1970/)
      assert.match(said(valueUs * 1_000), /ahead of the gateway's clock/)
    }),
  )
})

test('eventTimeProblem: no time is too old here beyond 1973, for the log alone decides that', () => {
  assert.equal(eventTimeProblem(EVENT_TIME_US_MIN, NOW_US, SKEW_US), undefined)
  assert.match(eventTimeProblem(0, NOW_US, SKEW_US) ?? '', /^0 lies before 1973-03-03/)
  assert.match(eventTimeProblem(-NOW_US, NOW_US, SKEW_US) ?? '', /lies before/)
  const hour = eventTimeProblem(NOW_US + 3_600_000_000, NOW_US, SKEW_US)
  assert.equal(hour, "lies 3600.000 s ahead of the gateway's clock; maxFutureSkew of the table is 60 s")
})
