import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDemoEvents } from './demo-events.ts'

const nowUs = 1_754_772_362_000_000

test('createDemoEvents: the same seed gives the same events, however they are asked for', () => {
  const [whole, parts] = [createDemoEvents(7), createDemoEvents(7)]
  assert.deepEqual(whole(1_000, nowUs), [...parts(400, nowUs), ...parts(600, nowUs)])
  assert.notDeepEqual(createDemoEvents(8)(10, nowUs), createDemoEvents(7)(10, nowUs))
})

test('createDemoEvents: some come twice, byte for byte, and none from the future', () => {
  const events = createDemoEvents(7)(10_000, nowUs)
  const byId = Map.groupBy(events, ({ event_id }) => event_id)
  const repeats = events.length - byId.size
  assert.ok(repeats > 300 && repeats < 700, `${repeats} repeats of 10000`)
  for (const copies of byId.values())
    assert.equal(new Set(copies.map((copy) => JSON.stringify(copy))).size, 1)
  assert.ok(events.every(({ event_time_us }) => event_time_us <= nowUs && event_time_us > nowUs - 5_000_001))
})
