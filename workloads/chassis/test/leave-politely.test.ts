import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { systemClock } from '../src/clock.ts'
import { createHealth } from '../src/health.ts'
import { createHttpServer } from '../src/http-server.ts'
import { leavePolitely } from '../src/leave-politely.ts'
import { createLog } from '../src/log.ts'
import { createShutdown } from '../src/shutdown.ts'

const log = createLog({ role: 'query', destination: { write: () => {} } })

test('leavePolitely: whoever asks while it leaves is answered, also over the connection that it has open', async () => {
  const context = { log, clock: systemClock, registry: new Registry(), pod: 'p', version: '1', drainMs: 700 }
  const health = createHealth({ role: 'query', version: '1', clock: systemClock })
  const http = createHttpServer({ role: 'query', context, health })
  http.app.get('/v1/number', async () => ({ n: 7 }))
  const port = await http.listen('127.0.0.1', 0)
  health.setReady(true)
  const shutdown = createShutdown(10_000, log)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  const url = `http://127.0.0.1:${port}`
  const outcomes: Array<readonly [status: number, connection: string | null]> = []
  let asking = true
  const ask = async () => {
    while (asking) {
      const response = await fetch(`${url}/v1/number`)
      await response.text()
      outcomes.push([response.status, response.headers.get('connection')])
      await delay(5)
    }
  }
  const asked = ask()
  await delay(50)
  const closed = shutdown.close()
  await delay(100)
  const ready = await fetch(`${url}/readyz`)
  await ready.text()
  assert.equal(ready.status, 503, 'Services are told at once')
  await delay(400)
  asking = false
  await asked
  await closed
  assert.deepEqual(new Set(outcomes.map(([status]) => status)), new Set([200]))
  assert.ok(outcomes.filter(([, connection]) => connection === 'close').length > 10)
  assert.equal(outcomes[0]?.[1], 'keep-alive')
  await assert.rejects(fetch(`${url}/v1/number`), 'and in the end nobody listens')
})
