import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { OPERATOR_NAMESPACE } from '../install-truenow.ts'
import { killPod } from '../kill-pod.ts'
import { anotherLeads, leadingPod } from '../leading-pod.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { testCluster } from '../test-cluster.ts'
import { changeShards, evenShards, inQuickstart } from './change-shards.ts'

let cluster: Cluster
before(async () => {
  cluster = await testCluster()
})
after(async () => {
  await changeShards(cluster, 2)
  await inQuickstart(cluster, ['delete', 'tnr', '--all'])
})

/** All slots stand on two shards; a third is there and empty. */
async function skew(): Promise<void> {
  await changeShards(cluster, 2)
  await changeShards(cluster, 3)
}

async function assertEvenedUnderLoad(scenario: string, onBegun: () => Promise<void>): Promise<void> {
  await skew()
  let moves = 0
  const result = await runSampler(cluster, scenario, async () => {
    moves = await evenShards(cluster, scenario, onBegun)
  })
  assert.ok(moves >= 8, `${moves} moves evened the shards`)
  assertUnnoticed(result, { onTime: true })
}

test('a skewed table is rebalanced under load: nothing wrong, failed, partial or late', () =>
  assertEvenedUnderLoad('rebalance-skewed', async () => {}))

test('the leading operator is killed while slots move: another one ends the moves, and nobody notices', () =>
  assertEvenedUnderLoad('rebalance-leader-killed', async () => {
    const leader = await leadingPod(cluster)
    await killPod(cluster, OPERATOR_NAMESPACE, leader)
    await anotherLeads(cluster, leader, 90_000)
  }))
