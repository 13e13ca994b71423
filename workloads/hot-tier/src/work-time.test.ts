import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TURN_MS } from './turns.ts'
import { CPU_LOOK_MS, createWorkTime } from './work-time.ts'

const ROUNDING_MS = 1e-9
/** Work and interruptions, each of some ms: only the first is time on a core. */
const stretches = fc.array(
  fc.record({
    worksMs: fc.oneof(
      fc.double({ min: 0, max: 3, noNaN: true }),
      fc.double({ min: 0, max: 0.1, noNaN: true }),
    ),
    isAwayMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true })),
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
        assert.ok(took() >= Math.min(at.wallMs, at.cpuMs) - ROUNDING_MS, `${took()} ms told of ${at.cpuMs}`)
        const most = Math.min(at.wallMs, Math.max(TURN_MS, at.cpuMs) + CPU_LOOK_MS)
        assert.ok(took() <= most + ROUNDING_MS, `${took()} ms of ${at.cpuMs}`)
      }
    }),
  )
})

test('createWorkTime: however often it is asked, it looks at the core every CPU_LOOK_MS only', () => {
  const at = { wallMs: 0, looks: 0 }
  const core = () => {
    at.looks += 1
    return at.wallMs
  }
  const took = createWorkTime(() => at.wallMs, core)()
  for (; at.wallMs < 10; at.wallMs += CPU_LOOK_MS / 16) took()
  assert.ok(at.looks > 10 && at.looks < 10 / CPU_LOOK_MS, `${at.looks} looks`)
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
