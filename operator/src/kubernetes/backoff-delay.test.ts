import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffDelay } from './backoff-delay.ts'

test('backoffDelay: within the half and the whole of a doubling that ends at the maximum', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), random, (failures, drawn) => {
      const whole = Math.min(5 * 2 ** (failures - 1), 1_000_000)
      const delayMs = backoffDelay(failures, 5, 1_000_000, () => drawn)
      assert.ok(delayMs >= whole / 2 && delayMs <= whole)
    }),
  )
})
