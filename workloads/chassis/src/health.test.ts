import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHealth, type HealthStatus } from './health.ts'

function started() {
  let nowMs = 1_000
  const clock = { nowUs: () => 0, monotonicMs: () => nowMs }
  const health = createHealth({ role: 'query', version: '1.0.0', clock })
  const at = (ms: number) => {
    nowMs = ms
  }
  return { health, at }
}

const worst: ReadonlyArray<[one: HealthStatus, other: HealthStatus, whole: HealthStatus]> = [
  ['healthy', 'healthy', 'healthy'],
  ['healthy', 'degraded', 'degraded'],
  ['healthy', 'unhealthy', 'unhealthy'],
  ['degraded', 'degraded', 'degraded'],
  ['degraded', 'unhealthy', 'unhealthy'],
  ['unhealthy', 'unhealthy', 'unhealthy'],
]
for (const [one, other, whole] of worst) {
  test(`health: ${one} and ${other} make ${whole}, in either order`, () => {
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const { health } = started()
      health.setCheck('kafka', { status: first, reason: 'k' })
      health.setCheck('redis', { status: second, reason: 'r' })
      const { status, reasons } = health.status()
      assert.equal(status, whole)
      assert.equal(reasons?.length ?? 0, [first, second].filter((state) => state !== 'healthy').length)
    }
  })
}

test('health: exactly the promised fields, reasons only when there are some, uptime in whole seconds', () => {
  const { health, at } = started()
  at(4_999)
  assert.deepEqual(health.status(), { status: 'healthy', service: 'query', uptime: 3, version: '1.0.0' })
  health.setCheck('kafka', { status: 'degraded', reason: 'no answer for 3 s' })
  assert.deepEqual(health.status().reasons, ['kafka: no answer for 3 s'])
  health.setCheck('kafka', { status: 'healthy' })
  assert.equal('reasons' in health.status(), false)
})

test('health: readiness starts closed and says why; listeners hear of each change until they stop', () => {
  const { health } = started()
  let heard = 0
  const stop = health.onChange(() => (heard += 1))
  assert.deepEqual([health.ready(), health.notReadyReason()], [false, 'starting'])
  health.setReady(true)
  health.setReady(true)
  assert.deepEqual([health.ready(), health.notReadyReason(), heard], [true, undefined, 1])
  health.setReady(false, 'draining')
  assert.deepEqual([health.notReadyReason(), heard], ['draining', 2])
  stop()
  health.setReady(true)
  assert.equal(heard, 2)
})
