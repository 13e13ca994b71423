import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { spawnInsideCluster } from '../inside-cluster.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { runSampler, type SamplerResult } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'

/*
 * The standing cluster goes over to certificates between its roles, renews all of them, changes its authority and goes back, each
 * under the sampler. What restarts no pod may fail nothing; shards are restarted by hand, one after the other.
 */
const { namespace, cluster: name } = QUICKSTART
/** A step is written, the kubelet brings it within its sync period, pods say that they have it; a busy machine takes its time. */
const STEP_MS_MAX = 240_000
let cluster: Cluster

before(async () => {
  cluster = await testCluster()
})
after(async () => {
  if (cluster === undefined) return
  const gone = ['ca', 'control-plane-tls', 'gateway-tls', 'ingester-tls', 'hot-tier-tls', 'query-tls', 'watermark-tls', 'operator-tls'] // biome-ignore format: one line
  await run(['delete', 'secret', '--ignore-not-found', ...gone.map((suffix) => `${name}-${suffix}`)])
  for (const annotation of ['renew-certificates', 'renew-authority'])
    await run(['annotate', `tnc/${name}`, `truenow.io/${annotation}-`])
})

const run = (args: readonly string[]) => kubectl(cluster, ['-n', namespace, ...args])
const get = async (args: readonly string[]) => JSON.parse(await run(['get', ...args, '-o', 'json']))
type Condition = Readonly<{ type: string; status: string; reason: string; message: string }>
const conditionOf = async (object: string, type: string): Promise<Condition | undefined> =>
  (await get([object])).status?.conditions?.find((one: Condition) => one.type === type)
const setMode = (mode: 'Disable' | 'Require') =>
  run(['patch', `tnc/${name}`, '--type=merge', '-p', JSON.stringify({ spec: { tls: { mode } } })])

const when = (wanted: (condition: Condition | undefined) => boolean) => async () => {
  const condition = await conditionOf(`tnc/${name}`, 'Secured')
  return wanted(condition) ? undefined : JSON.stringify(condition)
}
const isSecured = when((condition) => condition?.status === 'True')
const isChanging = when((condition) => condition?.status === 'False')

/** The template of shards as it is now, on all of them: each restarted when the one before serves again. */
async function restartShards(): Promise<void> {
  const { items } = await get(['pods', '-l', 'app.kubernetes.io/component=hot-tier'])
  for (const { metadata } of items as ReadonlyArray<{ metadata: { name: string; uid: string } }>) {
    await run(['delete', 'pod', metadata.name, '--wait=false'])
    await eventually(`${metadata.name} is another pod`, 90_000, async () => {
      const { metadata: now, status } = await get(['pod', metadata.name])
      const ready = status?.containerStatuses?.[0]?.ready === true
      return now.uid !== metadata.uid && ready ? undefined : `ready ${ready}, uid ${now.uid}`
    })
    for (const { object } of QUICKSTART.tables)
      await eventually(`table ${object} is whole`, 90_000, async () => {
        const ready = await conditionOf(`table/${object}`, 'Ready')
        return ready?.status === 'True' ? undefined : ready?.message
      })
  }
}

/** What the control plane's port does with a caller that shows nothing: HTTP/2's preface in plain text. */
async function callInPlainText(): Promise<string> {
  const program = `
    const socket = require('node:net').connect(9080, '${name}-control-plane.${namespace}.svc')
    const end = (outcome) => { console.log(outcome); process.exit() }
    socket.once('data', () => end('taken')).once('close', () => end('refused')).once('error', () => end('refused'))
    socket.write('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + String.fromCharCode(0, 0, 0, 4, 0, 0, 0, 0, 0))
    setTimeout(() => end('silent'), 5000)`
  const child = spawnInsideCluster(cluster, ['--input-type=commonjs', '-e', program])
  return (await text(child.stdout as NodeJS.ReadableStream)).trim()
}

const serials = async (): Promise<string> => {
  const { items } = await get(['secrets', '-l', `truenow.io/cluster=${name}`])
  return (items as ReadonlyArray<{ data: Record<string, string> }>).map(({ data }) => data['tls.crt']).join()
}
const failedNothing = ({ failed, partial }: SamplerResult) =>
  assert.deepEqual({ failed, partial }, { failed: 0, partial: 0 })

test('pods get certificates: no wrong answer while they are rolled', async () => {
  assert.equal(await callInPlainText(), 'taken')
  const result = await runSampler(cluster, 'certificates-mounted', async () => {
    await setMode('Require')
    await eventually('the operator waits for pods', STEP_MS_MAX, isChanging)
    for (const role of ['control-plane', 'ingester', 'gateway', 'query', 'watermark'])
      await run(['rollout', 'status', `deployment/${name}-${role}`, '--timeout=180s'])
    await restartShards()
  })
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
})

test('from plain text to certificates: nothing wrong, failed or partial', async () => {
  const result = await runSampler(cluster, 'certificates-required', () =>
    eventually('every role requires certificates', 2 * STEP_MS_MAX, isSecured),
  )
  failedNothing(result)
  assert.equal(await callInPlainText(), 'refused')
})

test('every certificate renewed, then another authority: nothing wrong, failed or partial', async () => {
  const first = await serials()
  const renewed = await runSampler(cluster, 'certificates-renewed', async () => {
    await run(['annotate', `tnc/${name}`, `truenow.io/renew-certificates=${Date.now()}`])
    await eventually('certificates are new', STEP_MS_MAX, async () =>
      (await serials()) === first ? 'they are the old ones' : undefined,
    )
    await eventually('all pods show them', STEP_MS_MAX, isSecured)
  })
  failedNothing(renewed)
  const authority = async () => (await get(['secret', `${name}-ca`])).data
  const before = await authority()
  const changed = await runSampler(cluster, 'authority-changed', async () => {
    await run(['annotate', `tnc/${name}`, `truenow.io/renew-authority=${Date.now()}`])
    await eventually('another authority is made', STEP_MS_MAX, isChanging)
    await eventually('it is the only one', 3 * STEP_MS_MAX, isSecured)
  })
  failedNothing(changed)
  const now = await authority()
  assert.notEqual(now['ca.crt'], before['ca.crt'])
  assert.deepEqual([now['next.crt'], now['previous.crt']], [undefined, undefined])
  const { items } = await get(['pods', '-l', `truenow.io/cluster=${name}`])
  for (const { status, metadata } of items)
    assert.equal(status.containerStatuses?.[0]?.restartCount, 0, `${metadata.name} has restarted`)
})

test('back to plain text: nothing failed until pods are rolled, nothing wrong even then', async () => {
  const result = await runSampler(cluster, 'certificates-off', async () => {
    await setMode('Disable')
    await eventually('phases lead back', STEP_MS_MAX, isChanging)
    await eventually('the cluster does without', 2 * STEP_MS_MAX, when((condition) => condition === undefined)) // biome-ignore format: one line
    for (const role of ['control-plane', 'ingester', 'gateway', 'query', 'watermark'])
      await run(['rollout', 'status', `deployment/${name}-${role}`, '--timeout=180s'])
    await restartShards()
  })
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
  assert.equal(await callInPlainText(), 'taken')
})
