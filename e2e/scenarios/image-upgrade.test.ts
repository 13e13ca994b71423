import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Cluster } from '../cluster/cluster.ts'
import { nodeImage } from '../cluster/images/node-image.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from '../install-truenow.ts'
import { podsOfCluster } from '../pods-of-cluster.ts'
import { releaseTree } from '../release-tree.ts'
import { assertUnnoticed } from '../sampler/assert-unnoticed.ts'
import { runSampler, type SamplerOptions, type SamplerResult } from '../sampler/run-sampler.ts'
import { secondCluster } from '../second-cluster.ts'
import { kubectl } from '../target.ts'
import { root, testCluster } from '../test-cluster.ts'
import { waitForCluster } from '../wait-for-cluster.ts'

const namespace = 'upgraded'
const { cluster: name } = QUICKSTART
const ORDER = ['control-plane', 'query', 'hot-tier', 'ingester', 'watermark', 'gateway']
const OUTAGE_MS_MAX = 2_000
let cluster: Cluster

/*
 * A cluster of its own, begun on the image of the last release, built from its commit. Snapshots of 0.1.0 are of another format:
 * its shards read them not, and replay the log.
 */
after(() => kubectl(cluster, ['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s']))

test('from 0.1.0 to this build, role after role: no answer wrong, partial or late', async () => {
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

  // Long enough before that the shards have written snapshots which the next version must do without.
  const { failed, ...result } = await upgrade('image-upgrade', newest, { before: 20_000, after: 10_000 })
  // A query pod of 0.1.0 closes the connections of clients while it ends; from this build on it ends them with an answer.
  assert.ok(result.outage_ms <= OUTAGE_MS_MAX, `${failed} failed, for ${result.outage_ms} ms`)
  assertUnnoticed({ ...result, failed: 0 }, { onTime: true })
})

test('from this build to another image of it: no answer wrong, failed, partial or late', async () => {
  const { name: next } = await cluster.buildAndLoad((tree, toolbox) => {
    const recipe = nodeImage(tree, toolbox)
    return { ...recipe, name: `${recipe.name}-next` }
  })
  const result = await upgrade('image-upgrade-next', next, { before: 4_000, after: 6_000 })
  assertUnnoticed(result, { onTime: true })
})

/** Gives the cluster another image under load; asserts that every role comes to it, readers before writers. */
async function upgrade(
  scenario: string,
  image: string,
  calmMs: NonNullable<SamplerOptions['calmMs']>,
): Promise<SamplerResult> {
  let said: string[] = []
  const result = await runSampler(
    cluster,
    scenario,
    async () => {
      const patch = JSON.stringify({ spec: { image } })
      const target = ['-n', namespace, 'patch', `truenowcluster/${name}`, '--type=merge', '-p', patch]
      await kubectl(cluster, target)
      said = await waitForCluster(cluster, namespace, 420_000, async () => {
        const old = (await podsOfCluster(cluster, namespace)).filter((pod) => pod.image !== image)
        return old.length === 0 ? undefined : `${old.map((pod) => pod.name).join(', ')} run ${old[0]?.image}`
      })
    },
    { calmMs, namespace },
  )
  console.log(`status told: ${said.join('; ')}`)
  const roles = [...new Set(said.map((told) => told.split(' ')[0] ?? ''))]
  assert.deepEqual(
    roles,
    ORDER.filter((role) => roles.includes(role)),
    'readers before writers',
  )
  assert.ok(roles.includes('hot-tier'))
  return result
}
