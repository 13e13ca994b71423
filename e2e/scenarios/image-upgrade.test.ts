import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { nodeImage } from '../cluster/images/node-image.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from '../install-truenow.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { releaseTree } from '../release-tree.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler } from '../sampler/run-sampler.ts'
import { secondCluster } from '../second-cluster.ts'
import { kubectl } from '../target.ts'
import { root, testCluster } from '../test-cluster.ts'
import { waitForCluster } from '../wait-for-cluster.ts'

const namespace = 'upgraded'
const { cluster: name } = QUICKSTART
const ORDER = ['control-plane', 'query', 'hot-tier', 'ingester', 'watermark', 'gateway']
let cluster: Cluster

/*
 * A cluster of its own, begun on the image of the last release, built from its commit. Snapshots of 0.1.0 are of another format:
 * its shards read them not, and replay the log.
 */
after(() => kubectl(cluster, ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s']))

test('from 0.1.0 to this build, role after role: no answer wrong, failed, partial or late', async () => {
  cluster = await testCluster()
  const { name: former } = await cluster.buildAndLoad((_root, toolbox) =>
    nodeImage(releaseTree(root, '0.1.0'), toolbox),
  )
  const operator = ['-n', OPERATOR_NAMESPACE, 'get', 'deployment/truenow-operator']
  const newest = await kubectl(cluster, [
    ...operator,
    ...['-o', 'jsonpath={.spec.template.spec.containers[0].image}'],
  ])
  assert.notEqual(former, newest)
  const two = { replicas: 2 }
  const spec = {
    image: former,
    hotTier: { shards: 2, replicationFactor: 2, memoryPerShard: '1Gi', storage: { size: '2Gi' } },
    ...{ gateway: two, ingester: two, query: { replicas: 2, cacheTtlSeconds: 60 } },
  }
  const manifests = secondCluster({
    namespace,
    deletionPolicy: 'Delete',
    spec,
    // Of these 0.1.0 knows nothing, and refuses what it does not know.
    tables: [{ object: 'events', deletionPolicy: 'Delete', without: ['rollups'] }],
  })
  await kubectl(cluster, ['apply', '-f', '-'], manifests)
  await waitForCluster(cluster, namespace, 180_000)
  await kubectl(cluster, ['-n', namespace, 'wait', '--for=condition=Ready', 'table/events', '--timeout=120s'])
  const before = await podsOfCluster(cluster, namespace)
  assert.deepEqual(new Set(before.map(({ image }) => image)), new Set([former]))

  let said: string[] = []
  const upgrade = async () => {
    const patch = JSON.stringify({ spec: { image: newest } })
    await kubectl(cluster, ['-n', namespace, 'patch', `truenowcluster/${name}`, '--type=merge', '-p', patch])
    said = await waitForCluster(cluster, namespace, 420_000, async () => {
      const old = (await podsOfCluster(cluster, namespace)).filter(({ image }) => image !== newest)
      return old.length === 0 ? undefined : `${old.map((pod) => pod.name).join(', ')} run ${former}`
    })
  }
  // Long enough before that the shards have written snapshots which the next version must do without.
  const calmMs = { before: 20_000, after: 10_000 }
  const result = await runSampler(cluster, 'image-upgrade', upgrade, { calmMs, namespace })
  console.log(`status told: ${said.join('; ')}`)
  assertUnnoticed(result, { onTime: true })
  const roles = [...new Set(said.map((told) => told.split(' ')[0] ?? ''))]
  assert.deepEqual(
    roles,
    ORDER.filter((role) => roles.includes(role)),
    'readers before writers',
  )
  assert.ok(roles.includes('hot-tier'))
})
