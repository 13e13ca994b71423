import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startDev } from '../src/start-dev.ts'

const SEEN_MS_MAX = 20_000
const readme = new URL('../../../README.md', import.meta.url)

/** The commands of the README's example for `make dev`, as they stand there but for the ports. */
async function commandsOf(gateway: string, query: string): Promise<readonly string[]> {
  const [, block = ''] = /<!-- run: dev -->\n```sh\n([\s\S]*?)```/.exec(await readFile(readme, 'utf8')) ?? []
  const script = block.replaceAll('localhost:8088', gateway).replaceAll('localhost:8081', query)
  return script.split(/^(?=curl )/m)
}
/** A machine that runs tests need not have curl, so the tests of the README bring what it uses of it. */
const standIn = fileURLToPath(new URL('../../../e2e/curl-stand-in.ts', import.meta.url))
const CURL = `curl() { '${process.execPath}' '${standIn}' "$@"; }\n`

async function run(command = '') {
  const { stdout } = await promisify(execFile)('sh', ['-c', CURL + command])
  return JSON.parse(stdout)
}

test('README: what it shows for `make dev` does what it says, word for word', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'truenow-test-'))
  const log = { level: 'WARN', destination: process.stderr } as const
  const dev = await startDev({ portBase: 0, dataDirectory, version: '0.0.0-test', onStep: () => {}, log })
  try {
    const [post, ask, ...rest] = await commandsOf(dev.gateway, dev.query)
    assert.deepEqual(rest, [])
    const { received, accepted } = await run(post)
    assert.deepEqual({ received, accepted }, { received: 1, accepted: 1 })
    const giveUpAtMs = performance.now() + SEEN_MS_MAX
    let answer = await run(ask)
    while (answer.rows.length === 0 && performance.now() < giveUpAtMs) {
      await delay(10)
      answer = await run(ask)
    }
    assert.deepEqual(answer.rows, [{ region: 'us-east', product: 'widget-a', sum_revenue: 12.5 }])
  } finally {
    await dev.close()
    await rm(dataDirectory, { recursive: true, force: true })
  }
})
