import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { spawnInsideCluster } from '../inside-cluster.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'
import { waitForNewPods } from '../wait-for-cluster.ts'

/*
 * The standing cluster goes over to certificates between its roles, renews all of them, changes its authority and goes back, each
 * under the sampler. Going over and going back roll every pod; what lies between restarts none.
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

test('pods get certificates: nothing wrong, failed, partial or late while they are rolled', async () => {
  assert.equal(await callInPlainText(), 'taken')
  const before = await podsOfCluster(cluster, namespace)
  const result = await runSampler(cluster, 'certificates-mounted', async () => {
    await setMode('Require')
    await eventually('the operator waits for pods', STEP_MS_MAX, isChanging)
    await waitForNewPods(cluster, namespace, 2 * STEP_MS_MAX, before)
  })
  assertUnnoticed(result, { onTime: true })
})

test('from plain text to certificates: nothing wrong, failed, partial or late', async () => {
  const result = await runSampler(cluster, 'certificates-required', () =>
    eventually('every role requires certificates', 2 * STEP_MS_MAX, isSecured),
  )
  assertUnnoticed(result, { onTime: true })
  assert.equal(await callInPlainText(), 'refused')
})

test('every certificate renewed, then another authority: nothing wrong, failed, partial or late', async () => {
  const first = await serials()
  const renewed = await runSampler(cluster, 'certificates-renewed', async () => {
    await run(['annotate', `tnc/${name}`, `truenow.io/renew-certificates=${Date.now()}`])
    await eventually('certificates are new', STEP_MS_MAX, async () =>
      (await serials()) === first ? 'they are the old ones' : undefined,
    )
    await eventually('all pods show them', STEP_MS_MAX, isSecured)
  })
  assertUnnoticed(renewed, { onTime: true })
  const authority = async () => (await get(['secret', `${name}-ca`])).data
  const before = await authority()
  const changed = await runSampler(cluster, 'authority-changed', async () => {
    await run(['annotate', `tnc/${name}`, `truenow.io/renew-authority=${Date.now()}`])
    await eventually('another authority is made', STEP_MS_MAX, isChanging)
    await eventually('it is the only one', 3 * STEP_MS_MAX, isSecured)
  })
  assertUnnoticed(changed, { onTime: true })
  const now = await authority()
  assert.notEqual(now['ca.crt'], before['ca.crt'])
  assert.deepEqual([now['next.crt'], now['previous.crt']], [undefined, undefined])
  const { items } = await get(['pods', '-l', `truenow.io/cluster=${name}`])
  for (const { status, metadata } of items)
    assert.equal(status.containerStatuses?.[0]?.restartCount, 0, `${metadata.name} has restarted`)
})

test('back to plain text: nothing wrong, failed, partial or late', async () => {
  const before = await podsOfCluster(cluster, namespace)
  const result = await runSampler(cluster, 'certificates-off', async () => {
    await setMode('Disable')
    await eventually('phases lead back', STEP_MS_MAX, isChanging)
    await eventually('the cluster does without', 2 * STEP_MS_MAX, when((condition) => condition === undefined)) // biome-ignore format: one line
    await waitForNewPods(cluster, namespace, 2 * STEP_MS_MAX, before)
  })
  assertUnnoticed(result, { onTime: true })
  assert.equal(await callInPlainText(), 'taken')
})
