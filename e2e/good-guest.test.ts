import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { before, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { OPERATOR_NAMESPACE } from './install-truenow.ts'
import { kubectl } from './target.ts'
import { root, testCluster } from './test-cluster.ts'

/*
 * `make up` as people run it who are not root, and on a cluster that they have: here ours is the one they have. What else
 * makes a good guest, e2e/cluster/cluster.test.ts shows: kill -9 in the Go build and in the bring-up, two clones.
 */
const NOBODY = 65_534
let cluster: Cluster
before(async () => {
  cluster = await testCluster()
})

test('make up as nobody exits with 2 at once and names both ways', () => {
  const { KUBE_CONTEXT: _, ...env } = process.env
  const startedMs = performance.now()
  const options = { cwd: root, env, uid: NOBODY, gid: NOBODY, encoding: 'utf8' } as const
  const { status, stderr } = spawnSync('make', ['up'], options)
  assert.equal(status, 2, stderr)
  assert.match(stderr, /sudo make up/)
  assert.match(stderr, /make up KUBE_CONTEXT=<context> IMAGE=/)
  assert.ok(performance.now() - startedMs < 5_000)
})

/** `make up KUBE_CONTEXT=… IMAGE=…` where that cluster can be reached, leading a process group of its own. */
async function upOnGivenCluster() {
  const context = (await kubectl(cluster, ['config', 'current-context'])).trim()
  const ofOperator = ['get', 'deployment/truenow-operator', '-o', 'jsonpath={..containers[0].image}']
  const image = await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...ofOperator])
  const { prefix, environment } = cluster.execWrapper
  const [program = '', ...args] = [...prefix, process.execPath, 'e2e/up.ts']
  const asked = { KUBE_CONTEXT: context, IMAGE: image, EVENTS: '5000' }
  const env = { ...process.env, ...environment, ...asked }
  return spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
}

const RELEASES = ['-n', OPERATOR_NAMESPACE, 'get', 'secrets', '-l']

/** Resolves as soon as helm has a release in the works. That lasts for half a second, so it is watched for, not asked for. */
async function helmAtWork(): Promise<void> {
  const { prefix, environment } = cluster.execWrapper
  const shown = ['--watch', '-o', 'jsonpath={.metadata.labels.status}{"\\n"}']
  const [program = '', ...args] = [...prefix, 'kubectl', ...RELEASES, 'owner=helm', ...shown]
  const env = { ...process.env, ...environment }
  const watch = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const giveUp = setTimeout(() => watch.kill(), 30_000)
  try {
    for await (const line of createInterface(watch.stdout)) if (line.startsWith('pending-')) return
    throw new Error('helm was not at work within 30 s')
  } finally {
    clearTimeout(giveUp)
    watch.kill()
  }
}

test('make up on a cluster one has: killed with its helm in mid-install, the next one succeeds all the same', async () => {
  const atWork = helmAtWork()
  const killed = await upOnGivenCluster()
  killed.stdout.resume()
  await atWork
  process.kill(-(killed.pid ?? 0), 'SIGKILL')
  const pending = 'owner=helm,status in (pending-install,pending-upgrade)'
  assert.notEqual(await kubectl(cluster, [...RELEASES, pending, '-o', 'name']), '', 'left pending')
  const second = await upOnGivenCluster()
  const said = text(second.stdout)
  assert.deepEqual(await once(second, 'exit'), [0, null], await said)
  const {
    events_sent: sent,
    equal,
    answer,
    recount,
  } = JSON.parse((await said).trim().split('\n').at(-1) ?? '')
  assert.ok(sent > 5_000, `${sent} events with duplicates`)
  assert.deepEqual(answer, recount)
  assert.equal(equal, true)
})

/** Everything that `make down` could take away, by uid and version of its spec. */
async function whatStands(): Promise<string> {
  const kinds =
    'namespaces,customresourcedefinitions,truenowclusters,tables,rebalances,deployments,statefulsets'
  const columns = '-o=custom-columns=K:.kind,N:.metadata.name,U:.metadata.uid,G:.metadata.generation'
  const objects = await kubectl(cluster, ['get', kinds, '--all-namespaces', columns, '--no-headers'])
  const releases = await cluster.helm(['list', '--all-namespaces', '--short'])
  assert.equal(releases.code, 0, releases.stderr)
  return [...objects.trim().split('\n').toSorted(), releases.stdout.trim()].join('\n')
}

test('make down on a cluster where `make up` made no namespace leaves all as it is, and says so', async () => {
  const before = await whatStands()
  assert.match(before, new RegExp(`Namespace +${OPERATOR_NAMESPACE} `))
  const context = (await kubectl(cluster, ['config', 'current-context'])).trim()
  const environment = { KUBE_CONTEXT: context }
  const { code, stdout, stderr } = await cluster.exec([process.execPath, 'e2e/down.ts'], {
    directory: root,
    environment,
  })
  assert.equal(code, 0, stderr)
  assert.doesNotMatch(stdout, /nothing is left/)
  assert.match(stdout, /the namespace of the quickstart: `make up` did not make it/)
  assert.match(stdout, /the release and its namespace/)
  assert.match(stdout, /the CRDs: \d+ truenowclusters, \d+ tables/)
  assert.equal(await whatStands(), before)
})
