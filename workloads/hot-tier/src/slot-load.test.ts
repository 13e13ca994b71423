import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SlotLoad, SMOOTHING_MS } from './slot-load.ts'

test('SlotLoad: steady work is told as what it is once it has gone on for some minutes, and fades when it ends', () => {
  let nowMs = 5_000
  const load = new SlotLoad(() => nowMs)
  assert.equal(load.figures().applyShare, 0)
  const work = (seconds: number) => {
    for (let tenth = 0; tenth < seconds * 10; tenth++) {
      nowMs += 100
      load.applied(50, 40)
      load.scanned(10)
    }
  }
  work(60)
  assert.ok(
    load.figures().applyShare > 0.24 && load.figures().applyShare < 0.27,
    `after a minute ${load.figures().applyShare}`,
  ) // 0.4 × (1 − 1/e)
  work(540)
  assert.ok(Math.abs(load.figures().applyShare - 0.4) < 0.004, String(load.figures().applyShare))
  assert.ok(Math.abs(load.figures().scanShare - 0.1) < 0.001, String(load.figures().scanShare))
  assert.ok(Math.abs(load.figures().rowsPerSecond - 500) < 5, String(load.figures().rowsPerSecond))
  nowMs += SMOOTHING_MS
  assert.ok(
    load.figures().applyShare > 0.14 && load.figures().applyShare < 0.15,
    `a minute later ${load.figures().applyShare}`,
  )
  nowMs += 1e9
  assert.equal(load.figures().applyShare, 0)
})

test('SlotLoad: one long scan does not make a slot busy', () => {
  let nowMs = 0
  const load = new SlotLoad(() => nowMs)
  nowMs += 3_000
  load.scanned(3_000)
  assert.ok(load.figures().scanShare <= 0.05)
})
