import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { bytesOfQuantity } from '../quantity.ts'
import { hotTierStatefulSet } from './hot-tier-stateful-set.ts'
import { anyCluster } from './testing/any-cluster.ts'

test('hotTierStatefulSet: only a deleted pod restarts, all may start at once, and volumes outlive everything', () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const { spec } = hotTierStatefulSet(cluster, 'truenow:1')
      const { updateStrategy, podManagementPolicy, persistentVolumeClaimRetentionPolicy, replicas } =
        spec as Record<string, unknown>
      assert.deepEqual(updateStrategy, { type: 'OnDelete' })
      assert.equal(podManagementPolicy, 'Parallel')
      assert.deepEqual(persistentVolumeClaimRetentionPolicy, { whenDeleted: 'Retain', whenScaled: 'Retain' })
      assert.equal(replicas, cluster.spec.hotTier.shards)
    }),
    { numRuns: 50 },
  )
})

type Container = {
  env: { name: string; value: string }[]
  resources: { requests: { cpu: string }; limits: { memory: string } }
}
/** The container of a shard as the spec's section gives it, without resources of its own. */
function containerWith(section: Partial<TrueNowCluster['spec']['hotTier']>): Container {
  const [cluster] = fc.sample(anyCluster, { numRuns: 1, seed: 7 })
  assert.ok(cluster !== undefined)
  const { resources: _, ...hotTier } = cluster.spec.hotTier
  const spec = { ...cluster.spec, hotTier: { ...hotTier, ...section } }
  const set = hotTierStatefulSet({ ...cluster, spec }, 'truenow:1') as unknown as {
    spec: { template: { spec: { containers: [Container] } } }
  }
  return set.spec.template.spec.containers[0]
}

test('hotTierStatefulSet: the process may take half of the memory limit, so that a full shard is not killed, and live templates stay', () => {
  for (const [memoryPerShard, gigabytes] of [
    ['512Mi', '0.250'],
    ['1Gi', '0.500'],
    ['1.5Gi', '0.750'],
    ['4G', '1.863'],
  ] as const) {
    const { env, resources } = containerWith({ memoryPerShard })
    const told = env.find(({ name }) => name === 'HOT_TIER_MEMORY_GB')?.value
    assert.equal(told, gigabytes)
    assert.ok(Number(told) * 2 ** 30 <= bytesOfQuantity(resources.limits.memory) / 2 + 2 ** 20)
  }
})

test('hotTierStatefulSet: workers are told, with half a core each; one worker changes nothing of the template', () => {
  const told = ({ env }: Container) => env.find(({ name }) => name === 'TRUENOW_HOT_TIER_WORKERS')?.value
  for (const [workers, value, cpu] of [
    [1, undefined, '50m'],
    [2, '2', '1000m'],
    [64, '64', '32000m'],
  ] as const) {
    const container = containerWith({ workers })
    assert.deepEqual([told(container), container.resources.requests.cpu], [value, cpu])
  }
})
