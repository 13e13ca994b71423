import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

const main = join(import.meta.dirname, '..', 'src', 'main.ts')
/** A user waits for 10 s at most where nothing else runs; the time that it took is printed. Tests share their cores with others. */
const FIRST_ANSWER_MS_MAX = 30_000

type Run = { child: ChildProcess; output: () => string; code: Promise<number | null> }

function run(args: readonly string[], temporary = tmpdir()): Run {
  const env = {
    PATH: process.env.PATH,
    TMPDIR: temporary,
    NODE_OPTIONS: '--disable-warning=ExperimentalWarning',
  }
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  return { child, output: () => text, code: once(child, 'close').then(([code]) => code as number | null) }
}

async function until<T>(
  what: () => T | undefined | Promise<T | undefined>,
  output: () => string,
): Promise<T> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const found = await what()
    if (found !== undefined) return found
    assert.ok(performance.now() < deadline, `nothing came in 60 s:\n${output()}`)
    await delay(10)
  }
}

for (const demo of ['--demo', '--no-demo']) {
  test(`truenow dev ${demo}: the first posted event is answered soon, and Ctrl-C leaves nothing behind`, async (t) => {
    const temporary = await mkdtemp(join(tmpdir(), 'truenow-test-'))
    const startedMs = performance.now()
    const { child, output, code } = run(['dev', '--port-base', '0', demo], temporary)
    try {
      const url = (pattern: RegExp) => until(() => pattern.exec(output())?.[0], output)
      const gateway = await url(/http:\/\/\S+\/v1\/namespaces\/production\/tables\/events\/events/)
      const query = await url(/http:\/\/\S+\/v1\/query/)
      const send = async (to: string, body: unknown) => {
        const headers = { 'content-type': 'application/json' }
        const response = await fetch(to, { method: 'POST', headers, body: JSON.stringify(body) })
        assert.equal(response.status, 200, await response.clone().text())
        return response.json() as Promise<{ rows?: Array<{ count: number }> }>
      }
      const nowUs = Date.now() * 1_000
      const event = {
        event_id: 'mine',
        event_time_us: nowUs,
        region: 'moon',
        product: 'p',
        user_id: 'u',
        revenue: 1,
        items: 1,
      }
      await send(gateway, [event])
      await until(async () => {
        const { rows } = await send(query, {
          start_time: nowUs - 1_000_000,
          end_time: nowUs + 1_000_000,
          namespace: 'production',
          table: 'events',
          filters: { region: 'moon' },
          aggregate: 'count',
        })
        return rows?.[0]?.count === 1 ? true : undefined
      }, output)
      const tookMs = performance.now() - startedMs
      t.diagnostic(`first posted event answered after ${Math.round(tookMs)} ms`)
      assert.ok(tookMs < FIRST_ANSWER_MS_MAX, `${tookMs} ms:\n${output()}`)
      if (demo === '--demo') {
        await until(async () => {
          const { rows } = await send(query, {
            start_time: nowUs - 60_000_000,
            end_time: nowUs + 60_000_000,
            namespace: 'production',
            table: 'events',
            aggregate: 'count',
          })
          return (rows?.[0]?.count ?? 0) > 100 ? true : undefined
        }, output)
      }
    } finally {
      child.kill('SIGINT')
    }
    assert.equal(await code, 0, output())
    assert.match(output(), /stopped, nothing left behind/)
    assert.doesNotMatch(output(), /"level":"(ERROR|WARN)"/)
    assert.deepEqual(await readdir(temporary), [])
    await rm(temporary, { recursive: true })
  })
}

const calls: ReadonlyArray<[args: string[], code: number, says: RegExp]> = [
  [['--version'], 0, /^\d+\.\d+\.\d+\n$/],
  [['--help'], 0, /usage: truenow <role>/],
  [[], 2, /No command\.[\s\S]*roles: gateway, ingester, hot-tier/],
  [['hottier'], 2, /Unknown command 'hottier'/],
  [['control-plane'], 2, /TN_CONFIG_INVALID/],
  [['dev', '--port-base', 'x'], 2, /--port-base is 'x', must be 0 to 65000/],
  [['dev', '--colour'], 2, /Unknown option '--colour'/],
]
for (const [args, expected, says] of calls) {
  test(`truenow ${args.join(' ')}: exits with ${expected}`, async () => {
    const { output, code } = run(args)
    assert.equal(await code, expected, output())
    assert.match(output(), says)
  })
}
