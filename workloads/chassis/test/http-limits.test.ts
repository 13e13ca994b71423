import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import Fastify from 'fastify'
import { Registry } from 'prom-client'
import { Type } from 'typebox'
import { systemClock } from '../src/clock.ts'
import { commonConfig, loadConfig } from '../src/config.ts'
import { createHealth } from '../src/health.ts'
import { createHttpServer } from '../src/http-server.ts'
import { JSON_DEPTH_MAX } from '../src/json-depth.ts'
import { createLog } from '../src/log.ts'
import { boundRequestLifetime } from '../src/request-lifetime.ts'

function server() {
  const lines: string[] = []
  const log = createLog({ role: 'query', destination: { write: (line) => lines.push(line) } })
  const health = createHealth({ role: 'query', version: '1', clock: systemClock })
  const context = { log, clock: systemClock, registry: new Registry(), pod: 'p', version: '1' }
  return { http: createHttpServer({ role: 'query', context, health }), lines }
}
const { http, lines } = server()
const signals: AbortSignal[] = []
let release = () => {}
http.app.post('/v1/echo', async ({ body }) => ({ body }))
http.app.post('/v1/wait', async (request) => {
  signals.push(request.signal)
  await new Promise<void>((resolve) => {
    release = resolve
  })
  return { aborted: request.signal.aborted }
})
http.app.get('/v1/offset', async () => {
  throw new TrueNowError('TN_OFFSET_OUT_OF_RANGE', 'gone', { details: { offset: 5n } })
})
const port = await http.listen('127.0.0.1', 0)
const base = `http://127.0.0.1:${port}`
after(() => http.close())

/** Writes `pieces` to a connection, `pauseMs` apart, and answers all that came back, and after how long. */
async function raw(pieces: readonly string[], pauseMs = 0) {
  const startedMs = performance.now()
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (bytes) => {
    answer += bytes
  })
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) {
    if (socket.destroyed || answer !== '') break
    socket.write(piece)
    if (pauseMs > 0) await sleep(pauseMs)
  }
  await closed
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: head.split('\r\n')[0], body, seconds: (performance.now() - startedMs) / 1_000 }
}
async function until(holds: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = performance.now() + 10_000; !holds(); await sleep(5))
    assert.ok(performance.now() < deadlineMs, `not within 10 s: ${what}`)
}
const post = (path: string, body: string, signal?: AbortSignal) =>
  fetch(`${base}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    ...(signal === undefined ? {} : { signal }),
  })

test('http: clients that drip headers or body are cut with 408, at 10 and at 15 s', async () => {
  const drips = Array.from({ length: 40 }, () => 'x')
  const [headers, body] = await Promise.all([
    raw(['GET /livez HTTP/1.1\r\nhost: t\r\nx-slow: ', ...drips], 500),
    raw(
      [
        'POST /v1/echo HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n"',
        ...drips,
      ],
      500,
    ),
  ])
  for (const { status, body: text } of [headers, body]) {
    assert.equal(status, 'HTTP/1.1 408 Request Timeout')
    assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, 'TN_REQUEST_INVALID')
  }
  assert.ok(headers.seconds > 9 && headers.seconds < 14, `headers: ${headers.seconds} s`)
  assert.ok(body.seconds > 14 && body.seconds < 19, `body: ${body.seconds} s`)
})

const broken: ReadonlyArray<[name: string, text: string, status: string]> = [
  ['no HTTP', 'hello\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
  [
    'long headers',
    `GET / HTTP/1.1\r\nhost: t\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
    'HTTP/1.1 431 Request Header Fields Too Large',
  ],
  ['a broken URL', 'GET /%zz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
]
for (const [name, text, status] of broken) {
  test(`http: ${name} is refused in our form`, async () => {
    const answer = await raw([text])
    assert.equal(answer.status, status)
    assert.match(answer.body, /^\{"error":\{"code":"TN_REQUEST_INVALID","message":".+","details":\{.*\}\}\}$/)
  })
}

test('http: the signal of a POST stays quiet while its client waits', async () => {
  const answer = post('/v1/wait', '{}')
  await until(() => signals.length === 1, 'the handler runs')
  await sleep(100) // Long enough for fastify's own signal, which aborts once the body is read.
  release()
  assert.deepEqual(await (await answer).json(), { aborted: false })
})

test('http: the signal aborts when the client leaves', async () => {
  const leave = new AbortController()
  const answer = post('/v1/wait', '{}', leave.signal).catch(() => {})
  await until(() => signals.length === 2, 'the handler runs')
  leave.abort()
  await answer
  await until(() => signals[1]?.aborted === true, 'the signal aborts')
  release()
})

test('http: a handler that takes too long is answered for, and its signal says why', async () => {
  const app = Fastify()
  boundRequestLifetime(app, 50)
  let reason: unknown
  app.post('/slow', async ({ signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    reason = signal.reason
    return {}
  })
  const answer = await app.inject({ method: 'POST', url: '/slow', payload: {} })
  assert.equal(answer.statusCode, 503)
  assert.ok(reason instanceof TrueNowError && reason.code === 'TN_OVERLOADED')
  await app.close()
})

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
test('http: JSON nests as deep as allowed and no deeper, whatever its size', async () => {
  assert.equal((await post('/v1/echo', nested(JSON_DEPTH_MAX))).status, 200)
  for (const depth of [JSON_DEPTH_MAX + 1, 200_000]) {
    const refused = await post('/v1/echo', nested(depth))
    assert.equal(refused.status, 400)
    const { error } = (await refused.json()) as { error: { code: string; details: unknown } }
    assert.deepEqual([error.code, error.details], ['TN_REQUEST_INVALID', { JSON_DEPTH_MAX }])
  }
})

test('http: a body beyond 1 MiB is 413, a body that ends early ends the request', async () => {
  assert.equal((await post('/v1/echo', `"${'x'.repeat(1 << 20)}"`)).status, 413)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write(
    'POST /v1/echo HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n"a',
  )
  await sleep(50)
  socket.destroy()
  assert.equal((await post('/v1/echo', '{"a":[1,"ü"]}')).status, 200)
})

test('http: bigints in details become text', async () => {
  const answer = await fetch(`${base}/v1/offset`)
  assert.equal(answer.status, 410)
  assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  assert.deepEqual(((await answer.json()) as { error: { details: unknown } }).error.details, { offset: '5' })
})

test('http: process metrics are there, read at the scrape', async () => {
  const text = await (await fetch(`${base}/metrics`)).text()
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'nodejs_eventloop_utilization_ratio',
  ])
    assert.match(text, new RegExp(`^${name} [0-9.e+-]+$`, 'm'))
  assert.match(text, /# TYPE process_cpu_seconds_total counter/)
})

test('http: while closing, what is in flight is answered and what comes anew is told to go elsewhere', async () => {
  const { http: closing } = server()
  let finish = () => {}
  let running = false
  closing.app.get('/v1/slow', async () => {
    running = true
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    return { done: true }
  })
  const socket = connect(await closing.listen('127.0.0.1', 0), '127.0.0.1')
  let answers = ''
  socket.on('data', (bytes) => {
    answers += bytes
  })
  const ended = new Promise((resolve) => socket.once('close', resolve))
  const ask = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nhost: t\r\n\r\n`)
  ask('/v1/slow')
  await until(() => running, 'the handler runs')
  const closed = closing.close()
  ask('/v1/slow') // Behind the first: an idle connection is closed, one in use may still bring requests.
  await sleep(100)
  finish()
  await Promise.all([ended, closed])
  const [first = '', second = ''] = answers.split(/(?<=\})(?=HTTP)/)
  assert.match(first, /^HTTP\/1\.1 200 OK[\s\S]*\{"done":true\}$/)
  assert.match(second, /^HTTP\/1\.1 503 [\s\S]*"code":"TN_SHUTTING_DOWN"/)
  assert.match(second, /^connection: close$/im)
  assert.match(second, /^retry-after: 1$/im)
})

test('http: close cuts what does not end within 10 s', async () => {
  const { http: closing } = server()
  let running = false
  closing.app.get('/v1/stuck', () => {
    running = true
    return new Promise(() => {})
  })
  const stuck = fetch(`http://127.0.0.1:${await closing.listen('127.0.0.1', 0)}/v1/stuck`)
  await until(() => running, 'the handler runs')
  const startedMs = performance.now()
  await Promise.all([assert.rejects(stuck), closing.close()])
  assert.ok(performance.now() - startedMs < 15_000)
})

test('http: a client is told to keep a connection for less than a process drains, and is served well beyond that', async () => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let heard = ''
  socket.on('data', (text) => {
    heard += text
  })
  const ask = () => socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  ask()
  await until(() => heard.includes('alive'), 'an answer')
  const toldSeconds = Number(/^keep-alive: timeout=(\d+)/im.exec(heard)?.[1])
  const drainSeconds = loadConfig(Type.Object(commonConfig('query')), {}).TRUENOW_DRAIN_SECONDS
  assert.ok(toldSeconds >= 2 && toldSeconds < drainSeconds, `told ${toldSeconds} s`)
  heard = ''
  await sleep(toldSeconds * 1_000 + 1_500) // Beyond the second that Node itself adds, and the look at connections each second.
  ask()
  await until(() => heard.includes('alive'), 'an answer over the connection that was idle')
  socket.destroy()
})

test('http: none of this was an ERROR', () => {
  assert.deepEqual(
    lines.filter((line) => line.includes('"level":"ERROR"')),
    [],
  )
})
