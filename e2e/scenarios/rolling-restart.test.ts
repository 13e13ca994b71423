import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUICKSTART } from '../install-truenow.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { kubectl } from '../target.ts'
import { testCluster } from '../test-cluster.ts'
import { waitForNewPods } from '../wait-for-cluster.ts'

const { namespace, cluster: name } = QUICKSTART

test('a rolling restart of the shards: no answer wrong, failed, partial or late, and nobody else restarts', async () => {
  const cluster = await testCluster()
  const before = await podsOfCluster(cluster, namespace)
  const shards = before.filter(({ role }) => role === 'hot-tier')
  const annotate = ['-n', namespace, 'annotate', '--overwrite', `truenowcluster/${name}`]
  let said: string[] = []
  const result = await runSampler(cluster, 'rolling-restart', async () => {
    await kubectl(cluster, [...annotate, `truenow.io/restart=${Date.now()}`])
    said = await waitForNewPods(cluster, namespace, 180_000, shards)
  })
  assertUnnoticed(result, { onTime: true })
  const after = await podsOfCluster(cluster, namespace)
  const others = (pods: typeof after) =>
    pods.filter(({ role }) => role !== 'hot-tier').map(({ started }) => started)
  assert.deepEqual(others(after), others(before))
  assert.deepEqual(
    after.filter(({ role }) => role === 'hot-tier').map(({ name: pod }) => pod),
    shards.map(({ name: pod }) => pod),
  )
  assert.ok(
    said.some((told) => told.startsWith('hot-tier ')),
    `status told of it: ${said.join('; ')}`,
  )
})
