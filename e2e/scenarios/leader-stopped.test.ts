import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { eventually } from '../eventually.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from '../install-truenow.ts'
import { killPod } from '../kill-pod.ts'
import { anotherLeads, leadingPod } from '../leading-pod.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'
import { watchLeaders } from '../watch-leaders.ts'

/*
 * The leader is stopped (SIGSTOP) for longer than its Lease and goes on when another leads: it must end without a word to
 * anybody, two never lead, and whoever asks for data notices nothing of it.
 */
const STOPPED_MS = 20_000
const { namespace, cluster: name } = QUICKSTART
let cluster: Cluster
before(async () => {
  cluster = await testCluster()
})

const operator = (...args: string[]) => kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...args])
const restartsOf = async (pod: string) =>
  Number(await operator('get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'))
const gatewayReplicas = () =>
  kubectl(cluster, ['-n', namespace, 'get', `deployment/${name}-gateway`, '-o', 'jsonpath={.spec.replicas}'])
const setGateways = (replicas: number) =>
  kubectl(cluster, [
    ...['-n', namespace, 'patch', `truenowcluster/${name}`, '--type=merge'],
    ...['-p', JSON.stringify({ spec: { gateway: { replicas } } })],
  ])

test('the leader stopped longer than its Lease: another leads, it ends when it wakes, and no answer is wrong or late', async () => {
  const sleeper = await leadingPod(cluster)
  assert.notEqual(sleeper, '', 'somebody leads')
  const restarts = await restartsOf(sleeper)
  const counted = await watchLeaders(cluster)
  const result = await runSampler(cluster, 'leader-stopped', () => stopAndWake(sleeper, restarts)).catch(
    async (error) => {
      await counted() // Ends what counts.
      throw error
    },
  )
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
  const { leadersMax, led } = await counted()
  assert.equal(leadersMax, 1)
  assert.ok(led > 20, `one led in ${led} rounds`)
  const words = (await operator('logs', sleeper, '--previous', '--tail=20')).split('\n')
  assert.ok(
    words.some((line) => line.includes('no longer leads')),
    `it says why it ends: ${words.join(' | ')}`,
  )
})

async function stopAndWake(sleeper: string, restarts: number): Promise<void> {
  await killPod(cluster, OPERATOR_NAMESPACE, sleeper, 'SIGSTOP')
  try {
    // The old leader wakes to a wish that it has not seen, and whose children another has made.
    await setGateways(3)
    await sleep(STOPPED_MS)
    await anotherLeads(cluster, sleeper, 30_000)
  } finally {
    await killPod(cluster, OPERATOR_NAMESPACE, sleeper, 'SIGCONT')
  }
  await eventually('the old leader ends', 30_000, async () => {
    const now = await restartsOf(sleeper)
    return now > restarts ? undefined : `${sleeper} has restarted ${now} times`
  })
  await eventually('three gateways', 30_000, async () => {
    const now = await gatewayReplicas()
    return now === '3' ? undefined : `${now} are asked for`
  })
  await setGateways(2)
  await kubectl(cluster, ['-n', namespace, 'wait', '--for=condition=Ready', `tnc/${name}`, '--timeout=90s'])
}
