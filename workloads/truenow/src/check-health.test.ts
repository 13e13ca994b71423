import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { freePort } from '@truenow/chassis/free-port.ts'
import { ATTEMPTS_MAX, checkHealth } from './check-health.ts'

/** A server that answers the n-th question, n from 1, by `answer`; `asked` is how many there were. */
async function serving<T>(
  answer: (attempt: number) => RequestListener,
  use: (url: string, asked: () => number) => Promise<T>,
): Promise<T> {
  let attempts = 0
  const server = createServer((request, response) => answer(++attempts)(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/health`, () => attempts)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
const saying =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
const healthy = saying(200, { status: 'healthy', service: 'operator', uptime: 1, version: '0.1.0' })
const asker = (pauses: number[] = []) => ({
  fetch,
  pause: async (ms: number) => void pauses.push(ms),
  attemptMs: 5_000,
})

test('checkHealth: healthy at once is asked once', async () => {
  const pauses: number[] = []
  await serving(
    () => healthy,
    async (url, asked) => {
      const line = `${url}: operator is healthy.`
      assert.deepEqual(await checkHealth(url, asker(pauses)), { healthy: true, line })
      assert.deepEqual([asked(), pauses], [1, []])
    },
  )
})

test('checkHealth: one that becomes healthy with the last attempt is healthy', async () => {
  const pauses: number[] = []
  const degraded = saying(200, { status: 'degraded', service: 'operator' })
  await serving(
    (attempt) => (attempt < ATTEMPTS_MAX ? degraded : healthy),
    async (url, asked) => {
      assert.equal((await checkHealth(url, asker(pauses))).healthy, true)
      assert.deepEqual([asked(), pauses.length], [ATTEMPTS_MAX, ATTEMPTS_MAX - 1])
    },
  )
})

const bad: ReadonlyArray<[name: string, answer: RequestListener, says: RegExp]> = [
  [
    'degraded, with its reasons',
    saying(200, { status: 'degraded', reasons: ['redis: away', 'x: y'] }),
    /: it says degraded; redis: away; x: y\.$/,
  ],
  ['unhealthy with 503', saying(503, { status: 'unhealthy' }), /: it says unhealthy\.$/],
  ['a page that is no report', saying(200, '<html>\n</html>'), /it answered 200 without a health report\.$/],
  ['JSON that is no report', saying(404, 'null'), /it answered 404 without a health report\.$/],
  ['an endless answer', saying(200, 'x'.repeat(1 << 20)), /its answer is longer than 65536 bytes\.$/],
  ['a redirect', (_, response) => response.writeHead(302, { location: '/' }).end(), /redirect/],
  ['a connection that breaks', (request) => request.socket.destroy(), /other side closed|ECONNRESET|socket/],
]
for (const [name, answer, says] of bad) {
  test(`checkHealth: ${name} is not healthy, in one line, after ${ATTEMPTS_MAX} attempts`, async () => {
    await serving(
      () => answer,
      async (url, asked) => {
        const verdict = await checkHealth(url, asker())
        assert.equal(verdict.healthy, false)
        assert.match(verdict.line, says)
        assert.ok(verdict.line.startsWith(`${url} is not healthy after ${ATTEMPTS_MAX} attempts: `))
        assert.doesNotMatch(verdict.line, /\n/)
        assert.ok(asked() >= ATTEMPTS_MAX)
      },
    )
  })
}

test('checkHealth: who never answers is given up', async () => {
  await serving(
    () => () => {},
    async (url) => {
      const verdict = await checkHealth(url, { ...asker(), attemptMs: 20 })
      assert.match(verdict.line, /timeout/)
    },
  )
})

test('checkHealth: nobody there', async () => {
  const verdict = await checkHealth(`http://127.0.0.1:${await freePort()}/health`, asker())
  assert.match(verdict.line, /ECONNREFUSED/)
})

async function truenow(...args: string[]): Promise<Readonly<{ code: unknown; out: string; err: string }>> {
  const main = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  return { code, out, err }
}

test('truenow check-health: 0 and a line when healthy, 2 with the usage when called wrongly', async () => {
  await serving(
    () => healthy,
    async (url) => {
      assert.deepEqual(await truenow('check-health', url), {
        code: 0,
        out: `${url}: operator is healthy.\n`,
        err: '',
      })
    },
  )
  for (const args of [[], ['localhost'], ['file:///etc/passwd'], ['http://a/', 'http://b/']]) {
    const { code, err } = await truenow('check-health', ...args)
    assert.equal(code, 2)
    assert.match(err, /check-health takes one http.* address[\s\S]*usage: truenow/)
  }
})
