import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Registry } from 'prom-client'
import { Type } from 'typebox'
import { createHealth } from '../src/health.ts'
import { createHttpServer } from '../src/http-server.ts'
import { createLog } from '../src/log.ts'

let nowMs = 0
const clock = { nowUs: () => nowMs * 1_000, monotonicMs: () => nowMs }
const lines: string[] = []
const log = createLog({ role: 'gateway', destination: { write: (line) => lines.push(line) } })
const health = createHealth({ role: 'gateway', version: '1.0.0', clock })
const context = { log, clock, registry: new Registry(), pod: 'p', version: '1.0.0' }
const { app } = createHttpServer({ role: 'gateway', context, health, bodyBytesMax: 100 })
app.post('/v1/number', { schema: { body: Type.Object({ n: Type.Integer() }) } }, async ({ body }) => ({
  twice: body.n * 2,
}))
app.get('/v1/table', async () => {
  throw new TrueNowError('TN_KAFKA_UNAVAILABLE', 'Kafka is away.')
})
app.get('/v1/bug', async () => {
  throw new TypeError('secret detail')
})

test('http: /health has exactly the promised form, reasons only when there are some', async () => {
  nowMs = 3_600_500
  const { body } = await app.inject('/health')
  assert.equal(body, '{"status":"healthy","service":"gateway","uptime":3600,"version":"1.0.0"}')
  health.setCheck('kafka', { status: 'degraded', reason: 'no answer for 3 s' })
  const degraded = (await app.inject('/health')).json()
  assert.deepEqual([degraded.status, degraded.reasons], ['degraded', ['kafka: no answer for 3 s']])
})

test('http: readiness opens and closes, liveness stays', async () => {
  assert.equal((await app.inject('/readyz')).statusCode, 503)
  health.setReady(true)
  assert.equal((await app.inject('/readyz')).statusCode, 200)
  assert.equal((await app.inject('/livez')).statusCode, 200)
})

test('http: errors carry a code and never what is inside', async () => {
  const away = await app.inject('/v1/table')
  assert.deepEqual(
    [away.statusCode, away.headers['retry-after'], away.json().error.code],
    [503, '1', 'TN_KAFKA_UNAVAILABLE'],
  )
  const bug = await app.inject('/v1/bug')
  assert.equal(bug.statusCode, 500)
  assert.equal(bug.body.includes('secret detail'), false)
  assert.ok(lines.some((line) => line.includes('secret detail') && line.includes('"level":"ERROR"')))
})

test('http: bad bodies are refused with the path; a string is not coerced to a number', async () => {
  const headers = { 'content-type': 'application/json' }
  const post = (payload: string) => app.inject({ method: 'POST', url: '/v1/number', headers, payload })
  assert.equal((await post('{"n":21}')).json().twice, 42)
  const wrong = await post('{"n":"21"}')
  assert.deepEqual([wrong.statusCode, wrong.json().error.code], [400, 'TN_REQUEST_INVALID'])
  assert.match(wrong.json().error.message, /body\/n/)
  assert.equal((await post('{"n":1,"__proto__":{"polluted":1}}')).statusCode, 400)
  assert.equal((await post(`{"n":${'1'.repeat(200)}}`)).statusCode, 413)
  assert.equal(
    (
      await app.inject({
        method: 'POST',
        url: '/v1/number',
        headers: { 'content-type': 'text/x' },
        payload: 'a',
      })
    ).statusCode,
    415,
  )
})

test('http: unknown routes answer in our form; metrics count by route, never by path', async () => {
  const { statusCode, body } = await app.inject('/v1/nothing/here')
  assert.equal(statusCode, 404)
  assert.match(body, /TN_REQUEST_INVALID/)
  const metrics = (await app.inject('/metrics')).body
  assert.match(
    metrics,
    /truenow_gateway_http_requests_total\{route="\/v1\/number",method="POST",status="200"\} 1/,
  )
  assert.equal(metrics.includes('nothing/here'), false)
})
