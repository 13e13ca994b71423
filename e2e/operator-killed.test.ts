import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { eventually } from './eventually.ts'
import { firstAnswer } from './first-answer.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import { killPod } from './kill-pod.ts'
import { anotherLeads, leadingPod } from './leading-pod.ts'
import { seededRandom } from './load/seeded-random.ts'
import { runSampler } from './sampler/run-sampler.ts'
import { secondCluster } from './second-cluster.ts'
import { kubectl } from './target.ts'
import { testCluster } from './test-cluster.ts'
import { watchLeaders } from './watch-leaders.ts'

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const CHILDREN = 'serviceaccounts,services,deployments,statefulsets,networkpolicies,poddisruptionbudgets'
const CHILDREN_BEFORE_KILL_MAX = 12
const namespace = 'interrupted'
const { cluster: name } = QUICKSTART
let cluster: Cluster

/*
 * While the operator is away, and while the pods of a second cluster start beside it, the quickstart is written to and
 * asked: no answer may be wrong, and none late for long.
 */
before(async () => {
  cluster = await testCluster()
})
after(() => kubectl(cluster, ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=90s']))

test('the operator killed while it creates a cluster: another pod takes over and the answers are exact', async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const calmMs = { before: 1_000, after: 1_000 }
  const result = await runSampler(cluster, 'operator-killed', killWhileItCreates, { calmMs })
  // Nothing that answers is lost, but ten pods start on the cores that answer; beside a `make up` some of it is late.
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
  await answersExactly()
})

async function killWhileItCreates(): Promise<void> {
  const leader = await leadingPod(cluster)
  assert.notEqual(leader, '', 'somebody leads')
  const counted = await watchLeaders(cluster)
  const wanted = 1 + Math.floor(seededRandom(SEED)() * CHILDREN_BEFORE_KILL_MAX)
  await kubectl(cluster, ['apply', '-f', '-'], secondCluster({ namespace, tables: [{ object: 'events' }] }))
  await eventually(`${wanted} children`, 30_000, async () => {
    const label = `truenow.io/cluster=${name}`
    const names = await kubectl(cluster, ['-n', namespace, 'get', CHILDREN, '-l', label, '-o', 'name'])
    const there = names.split('\n').length - 1
    return there >= wanted ? undefined : `${there} are there`
  })
  await killPod(cluster, OPERATOR_NAMESPACE, leader)
  await anotherLeads(cluster, leader, 60_000)
  for (const object of [`truenowcluster/${name}`, 'table/events'])
    await kubectl(cluster, ['-n', namespace, 'wait', '--for=condition=Ready', object, '--timeout=120s'])
  const { leadersMax, rounds, led } = await counted()
  assert.equal(leadersMax, 1)
  assert.ok(led > 20 && rounds > led, `one led in ${led} of ${rounds} rounds`)
}

async function answersExactly(): Promise<void> {
  const gateway = await cluster.relay({ namespace, service: `${name}-gateway`, port: 8088 })
  const query = await cluster.relay({ namespace, service: `${name}-query`, port: 8081 })
  try {
    const urls = { gateway: gateway.url, query: query.url }
    const tables = [{ namespace: 'production', table: 'events' }]
    const run = `k${SEED.toString(36)}`
    const compared = await firstAnswer(urls, tables, { events: 5_000, seed: SEED, run })
    assert.deepEqual(compared.answer, compared.recount)
  } finally {
    await gateway.close()
    await query.close()
  }
}
