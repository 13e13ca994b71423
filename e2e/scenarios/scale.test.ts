import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
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

test('two shards become four, and two again, under load: nothing wrong, failed, partial or late', async () => {
  let moves = 0
  const result = await runSampler(cluster, 'scale-2-4-2', async () => {
    await changeShards(cluster, 4)
    moves = await evenShards(cluster, 'even')
    await changeShards(cluster, 2)
  })
  assert.ok(moves >= 8, `${moves} moves evened the shards`)
  assertUnnoticed(result, { onTime: true })
})
