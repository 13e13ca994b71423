import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { QUICKSTART } from '../install-truenow.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'

/*
 * A node drain, as far as one node can show it: every pod of the cluster is evicted as `kubectl drain` does it, all are asked
 * for at once and asked again where the disruption budget refuses, but the node stays open, since there is no other.
 */
const { namespace, cluster: name } = QUICKSTART
const ASK_AGAIN_MS = 500
const ROLES = ['control-plane', 'gateway', 'ingester', 'hot-tier', 'query', 'watermark']
let cluster: Cluster

before(async () => {
  cluster = await testCluster()
})

const podsOf = async (role: string): Promise<string[]> => {
  const labels = `truenow.io/cluster=${name},app.kubernetes.io/component=${role}`
  const get = ['get', 'pods', '-l', labels, '-o', 'jsonpath={.items[*].metadata.name}']
  return (await kubectl(cluster, ['-n', namespace, ...get])).split(' ')
}

/** Answers how often the budget said no. */
async function evict(pod: string): Promise<number> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace } }
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/eviction`
  for (let refused = 0; ; refused++) {
    const { code, stderr } = await cluster.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction)) // biome-ignore format: one line
    if (code === 0) return refused
    assert.match(stderr, /disruption budget/, stderr)
    await sleep(ASK_AGAIN_MS)
  }
}

test('every pod evicted, as a drain does it: the budgets let one of a role go at a time, and no answer is missed or late', async () => {
  let refused = 0
  const result = await runSampler(cluster, 'node-drained', async () => {
    const roles = await Promise.all(ROLES.map(podsOf))
    const refusals = await Promise.all(roles.flat().map(evict))
    refused = refusals.reduce((sum, one) => sum + one, 0)
    for (const object of [`truenowcluster/${name}`, 'table/events'])
      await kubectl(cluster, ['-n', namespace, 'wait', '--for=condition=Ready', object, '--timeout=120s'])
  })
  assert.ok(refused > 0, 'the second pod of a role had to wait')
  assertUnnoticed(result, { onTime: true })
})
