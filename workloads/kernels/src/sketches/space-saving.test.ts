import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SpaceSaving } from './space-saving.ts'

/** Few names, so that some are frequent; null halves. */
const step = fc.oneof({ weight: 30, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.constant(null) })
const NONE = 1e-9

test('SpaceSaving: no count is below the truth or above it by more than it says, and no frequent key is missing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer({ min: 1, max: 12 }), (steps, capacity) => {
      const summary = new SpaceSaving(capacity)
      const truth = new Map<string, number>()
      for (const one of steps) {
        if (one === null) {
          summary.halve()
          for (const [key, count] of truth) truth.set(key, count / 2)
          continue
        }
        // The lower half of the names twice as often.
        const key = `k${one > 20 ? one % 5 : one}`
        summary.add(key)
        truth.set(key, (truth.get(key) ?? 0) + 1)
      }
      const total = truth.values().reduce((sum, count) => sum + count, 0)
      assert.ok(Math.abs(summary.total - total) < NONE)
      const found = summary.top(capacity)
      assert.ok(found.length <= capacity)
      for (const { key, count, errorMax } of found) {
        const exact = truth.get(key) ?? 0
        assert.ok(exact <= count + NONE && count <= exact + errorMax + NONE, key)
        assert.ok(errorMax <= total / capacity + NONE)
      }
      for (const [key, exact] of truth)
        if (exact > total / capacity + NONE)
          assert.ok(
            found.some((one) => one.key === key),
            key,
          )
    }),
  )
})

test('SpaceSaving: the most frequent come first, ties by key', () => {
  const summary = new SpaceSaving(4)
  for (const key of ['b', 'a', 'c', 'c']) summary.add(key)
  assert.deepEqual(
    summary.top(2).map(({ key }) => key),
    ['c', 'a'],
  )
})
