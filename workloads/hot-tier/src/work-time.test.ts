import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TURN_MS } from './turns.ts'
import { createWorkTime } from './work-time.ts'

/** Work and interruptions, each of some ms: only the first is time on a core. */
const stretches = fc.array(
  fc.record({
    worksMs: fc.double({ min: 0, max: 3, noNaN: true }),
    isAwayMs: fc.double({ min: 0, max: 50, noNaN: true }),
  }),
  { maxLength: 20 },
)

test('createWorkTime: it tells the whole time of work that nothing interrupts, and of other work the part of it that was on a core', () => {
  fc.assert(
    fc.property(stretches, (all) => {
      const at = { wallMs: 0, cpuMs: 0 }
      const took = createWorkTime(() => at.wallMs, () => at.cpuMs)() // biome-ignore format: one line
      for (const { worksMs, isAwayMs } of all) {
        at.wallMs += worksMs + isAwayMs
        at.cpuMs += worksMs
        assert.ok(took() >= Math.min(at.wallMs, at.cpuMs), `${took()} ms told of ${at.cpuMs}`)
        assert.ok(took() <= at.wallMs && took() <= Math.max(TURN_MS, at.cpuMs), `${took()} ms of ${at.cpuMs}`)
      }
    }),
  )
})

test('createWorkTime: waiting is not work, computing is', async () => {
  const startWork = createWorkTime(() => performance.now())
  const waited = startWork()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const waitedMs = waited()
  const worked = startWork()
  const until = process.threadCpuUsage().user + 50_000
  while (process.threadCpuUsage().user < until);
  assert.ok(waitedMs < 50, `${waitedMs} ms of 100 that it waited`)
  assert.ok(worked() >= 40, `${worked()} ms of 50 that it computed`)
})
