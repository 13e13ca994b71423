import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import fc from 'fast-check'
import { QUOTA_BYTES_MIN } from './create-arenas.ts'
import { divideBudget } from './divide-budget.ts'

const GIB = 2 ** 30
const shares = fc.record({ memoryGib: fc.double({ min: 0.001, max: 64, noNaN: true }), workers: fc.integer({ min: 0, max: 64 }) }) // biome-ignore format: one line

test('divideBudget: reserve and quotas are the budget, and no worker has less than a wide chunk needs', () => {
  fc.assert(
    fc.property(shares, ({ memoryGib, workers }) => {
      const count = Math.max(1, workers)
      try {
        const { reserveBytes, quotaBytes, heapMibMax } = divideBudget(memoryGib, workers, -1)
        const all = reserveBytes + count * quotaBytes
        assert.ok(all <= memoryGib * GIB && all > memoryGib * GIB - count)
        assert.ok(quotaBytes >= QUOTA_BYTES_MIN)
        assert.ok(heapMibMax.old * 2 ** 20 < reserveBytes + quotaBytes, 'a heap does not outgrow the budget')
      } catch (error) {
        assert.ok(error instanceof TrueNowError && error.code === 'TN_CONFIG_INVALID')
        const least = Number(/give it ([\d.]+) or more/.exec(error.message)?.[1])
        assert.ok(least > memoryGib, error.message)
        divideBudget(least, workers, -1) // The remedy works.
      }
    }),
  )
})

test('divideBudget: who says how much the process needs gets the rest, and is told when nothing is left', () => {
  assert.equal(divideBudget(1, 2, 24).quotaBytes, 500 * 2 ** 20)
  assert.equal(divideBudget(0.0005, 1, 0).quotaBytes, Math.floor(0.0005 * GIB))
  assert.throws(() => divideBudget(1, 1, 1_024), /HOT_TIER_MEMORY_GB=1 leaves no room for rows: .* 1024 MiB .*; give it 1\.001 or more/) // biome-ignore format: one line
})
