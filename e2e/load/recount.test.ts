import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateEvents, type LoadOptions } from './generate-events.ts'
import { Recount } from './recount.ts'

const options: LoadOptions = {
  seed: 7,
  run: 'r1',
  events: 20_000,
  duplicateShare: 0.05,
  nowUs: 1_754_772_362_000_000,
  spreadUs: 60_000_000,
}
const events = [...generateEvents(options)]

test('load: the same seed gives the same events', () => {
  assert.deepEqual([...generateEvents(options)], events)
})

test('load: about 5 % of the events come twice, out of order in time, within the spread', () => {
  const repeats = events.length - options.events
  assert.ok(repeats > 800 && repeats < 1_200, `${repeats} repeats`)
  assert.equal(new Set(events.map(({ event_id }) => event_id)).size, options.events)
  assert.ok(events.some((event, at) => at > 0 && event.event_time_us < (events[at - 1]?.event_time_us ?? 0)))
  assert.ok(
    events.every(({ event_time_us: at }) => at < options.nowUs && at >= options.nowUs - options.spreadUs),
  )
})

test('load: the recount counts each id once', () => {
  const recount = new Recount()
  for (const event of events) recount.add(event)
  assert.equal(
    recount.rows().reduce((sum, { count }) => sum + count, 0),
    options.events,
  )
})
