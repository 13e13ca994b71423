import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFakeTime } from './testing/fake-time.ts'
import { createTokenBucket } from './token-bucket.ts'

test('createTokenBucket: never more than burst + rate in any stretch of time, and nobody waits for nothing', async () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(gaps, async (gapsMs) => {
      const { clock, advance } = createFakeTime()
      const bucket = createTokenBucket({ perSecond: 10, burst: 3, clock })
      const usedMs: number[] = []
      for (const gapMs of gapsMs) {
        await advance(gapMs)
        const foreseen = bucket.delayMs()
        const waitMs = bucket.reserve()
        assert.equal(foreseen, waitMs)
        usedMs.push(clock.monotonicMs() + waitMs)
      }
      for (let from = 0; from < usedMs.length; from++) {
        for (let to = from; to < usedMs.length; to++) {
          const stretchMs = usedMs[to]! - usedMs[from]!
          assert.ok(to - from + 1 <= 3 + stretchMs / 100 + 1e-6)
        }
      }
      assert.deepEqual(
        usedMs,
        usedMs.toSorted((a, b) => a - b),
      )
    }),
    { numRuns: 50 },
  )
})
