import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { eventually } from './eventually.ts'
import { spawnInsideCluster } from './inside-cluster.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import { kubectl } from './target.ts'
import { root, testCluster } from './test-cluster.ts'

/*
 * The README's commands as they stand. They name fixed ports, so they run in the cluster's network, where those are free:
 * first against the program of `make dev`, then against the cluster that the commands "by hand" have made.
 */
const page = readFileSync(`${root}/README.md`, 'utf8')
const block = (mark: string): string => {
  const [, text] = new RegExp(`<!-- run: ${mark} -->\n\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  assert.ok(text, `README.md has no block marked 'run: ${mark}'`)
  return text
}
/** A machine that runs tests need not have curl. */
const CURL = `command -v curl >/dev/null || curl() { '${process.execPath}' e2e/curl-stand-in.ts "$@"; }\n`
let cluster: Cluster
before(async () => {
  cluster = await testCluster()
})

async function shell(script: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const command = ['sh', '-euc', CURL + script]
  const { code, stdout, stderr } = await cluster.exec(command, { directory: root, environment })
  assert.equal(code, 0, stderr)
  return stdout
}

/** The two commands of the first look, each on its own: the second is asked again until the row is there. */
async function postAndAsk(): Promise<void> {
  const [post = '', ask = '', ...rest] = block('dev').split(/^(?=curl )/m)
  assert.deepEqual(rest, [])
  const { received, accepted } = JSON.parse(await shell(post))
  assert.deepEqual({ received, accepted }, { received: 1, accepted: 1 })
  await eventually('the row', 20_000, async () => {
    const { rows } = JSON.parse(await shell(ask))
    const mine = rows.find((row: { product: string }) => row.product === 'widget-a')
    return mine?.region === 'us-east' && mine.sum_revenue >= 12.5 ? undefined : JSON.stringify(rows)
  })
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Waits for a line; the rest of what it says goes nowhere. */
async function said(child: ChildProcess, line: RegExp): Promise<void> {
  let heard = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
      if (line.test(heard)) resolve()
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code} before ${line}: ${heard}`)))
  })
}

function portForward(service: string, port: string): ChildProcess {
  const { prefix, environment } = cluster.execWrapper
  const command = ['kubectl', '--namespace', QUICKSTART.namespace, 'port-forward', `service/${service}`, port]
  const [program = '', ...args] = [...prefix, ...command]
  return spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

test('README: `make dev` and the two commands below it', async () => {
  const recipe = execFileSync('make', ['--dry-run', 'dev'], { cwd: root, encoding: 'utf8' })
  assert.match(recipe, /^node workloads\/truenow\/src\/main\.ts dev$/m, 'what `make dev` runs')
  const dev = spawnInsideCluster(cluster, ['workloads/truenow/src/main.ts', 'dev', '--no-demo'])
  try {
    await said(dev, /✔ ready/)
    await postAndAsk()
  } finally {
    await stop(dev)
  }
})

test('README: by hand, on a cluster you have, and the same two commands through port-forward', async () => {
  const image = ['get', 'deployment/truenow-operator', '-o', 'jsonpath={..containers[0].image}']
  const [REPOSITORY = '', TAG = ''] = (await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...image])).split(
    ':',
  )
  const told = await shell(block('by-hand'), { REPOSITORY, TAG })
  assert.match(told, /truenowcluster\.truenow\.io\/demo +10\/10 +Ready/)
  const forwards: ChildProcess[] = []
  try {
    for (const [service, port] of [
      ['demo-gateway', '8088'],
      ['demo-query', '8081'],
    ] as const) {
      assert.ok(page.includes(`service/${service} ${port}`), 'the README names it')
      const forward = portForward(service, port)
      forwards.push(forward)
      await said(forward, /Forwarding from 127/)
    }
    await postAndAsk()
  } finally {
    for (const forward of forwards) await stop(forward)
  }
})
