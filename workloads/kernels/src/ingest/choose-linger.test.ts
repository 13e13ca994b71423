import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BLOCK_ROWS_AIM, chooseLinger, LINGER_MS_MAX, LINGER_MS_MIN } from './choose-linger.ts'

const linger = fc.double({ min: LINGER_MS_MIN, max: LINGER_MS_MAX, noNaN: true })
/** Where lingering ends up when rows arrive evenly. */
function settled(rowsPerMs: number, startMs: number): number {
  let lingerMs = startMs
  for (let block = 0; block < 60; block++)
    lingerMs = chooseLinger(lingerMs, Math.round(rowsPerMs * lingerMs), lingerMs)
  return lingerMs
}

test('chooseLinger: always within its limits, also without any time or rows', () => {
  fc.assert(
    fc.property(
      linger,
      fc.nat(),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      (lingerMs, gained, waitedMs) => {
        const next = chooseLinger(lingerMs, gained, waitedMs)
        assert.ok(next >= LINGER_MS_MIN && next <= LINGER_MS_MAX, String(next))
      },
    ),
  )
})

test('chooseLinger: a lone client waits the least, wherever it began', () => {
  fc.assert(
    fc.property(linger, (lingerMs) => {
      assert.ok(settled(0, lingerMs) < LINGER_MS_MIN + 0.01)
      assert.ok(settled(0.5, lingerMs) < LINGER_MS_MIN + 0.01)
    }),
  )
})

test('chooseLinger: under load blocks come to the rows aimed at, as far as the limits let them', () => {
  fc.assert(
    fc.property(linger, fc.double({ min: 2, max: 1_000, noNaN: true }), (lingerMs, rowsPerMs) => {
      const aimMs = Math.min(Math.max(BLOCK_ROWS_AIM / rowsPerMs, LINGER_MS_MIN), LINGER_MS_MAX)
      const foundMs = settled(rowsPerMs, lingerMs)
      assert.ok(Math.abs(foundMs - aimMs) < aimMs * 0.1, `${foundMs} ms, not ${aimMs}`)
    }),
  )
})
