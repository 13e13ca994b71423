import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARE_MAX, SnapshotPace } from './snapshot-pace.ts'

test('SnapshotPace: whatever snapshots cost, they have a fifth of the thread at most, and go on', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 50 }), fc.integer({ min: 100, max: 60_000 }), (costs, snapshotMs) => {
      const pace = new SnapshotPace(snapshotMs)
      let [nowMs, spentMs, written] = [0, 0, 0]
      while (written < costs.length) {
        if (!pace.mayBegin(nowMs)) {
          nowMs += 100 // The look of the shard's house.
          continue
        }
        const beganMs = nowMs
        do nowMs += costs[written++] ?? 0
        while (written < costs.length && pace.mayGoOn(beganMs, nowMs))
        pace.ended(beganMs, nowMs)
        spentMs += nowMs - beganMs
      }
      while (!pace.mayBegin(nowMs)) nowMs += 100
      assert.ok(spentMs <= SHARE_MAX * nowMs, `${spentMs} of ${nowMs} ms`)
    }), // biome-ignore format: one line
  )
})
