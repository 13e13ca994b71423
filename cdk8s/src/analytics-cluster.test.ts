import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chart, Testing } from 'cdk8s'
import { AnalyticsCluster, type AnalyticsClusterProps } from './analytics-cluster.ts'

const STORES = { brokers: ['kafka:9092'], postgresSecret: 'stores' } as const

function synth(build: (chart: Chart) => void) {
  const chart = new Chart(Testing.app(), 'chart', { disableResourceNameHashes: true, namespace: 'apps' })
  build(chart)
  return Testing.synth(chart)
}
const specOf = (props: Partial<AnalyticsClusterProps> = {}) =>
  synth((chart) => new AnalyticsCluster(chart, 'demo', { ...STORES, ...props }))[0].spec

test('AnalyticsCluster: named by its id, in the chart’s namespace, two of everything', () => {
  const [cluster] = synth((chart) => new AnalyticsCluster(chart, 'demo', STORES))
  assert.deepEqual(cluster, {
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'TrueNowCluster',
    metadata: { name: 'demo', namespace: 'apps' },
    spec: {
      kafka: { brokers: ['kafka:9092'] },
      postgres: { urlSecretRef: { name: 'stores', key: 'url' } },
      hotTier: { shards: 2, replicationFactor: 2, memoryPerShard: '1Gi', storage: { size: '2Gi' } },
      gateway: { replicas: 2 },
      ingester: { replicas: 2 },
      query: { replicas: 2 },
    },
  })
})

test('AnalyticsCluster: one shard has one replica, and what the spec says wins', () => {
  assert.equal(specOf({ shards: 1 }).hotTier.replicationFactor, 1)
  const spec = specOf({
    redisSecret: 'cache',
    spec: {
      hotTier: { workers: 4 },
      kafka: { topics: { replicationFactor: 1 } },
      query: { replicas: 5 },
      deletionPolicy: 'Delete',
    },
  })
  assert.deepEqual([spec.hotTier.shards, spec.hotTier.workers, spec.query.replicas], [2, 4, 5])
  assert.deepEqual(spec.kafka, { brokers: ['kafka:9092'], topics: { replicationFactor: 1 } })
  assert.deepEqual([spec.redis.urlSecretRef.name, spec.deletionPolicy], ['cache', 'Delete'])
})

test('AnalyticsCluster: its tables and rebalances refer to it; only columns that there are can partition', () => {
  const [, table, rebalance] = synth((chart) => {
    const cluster = new AnalyticsCluster(chart, 'demo', { ...STORES, namespace: 'elsewhere' })
    cluster.addTable('events', {
      columns: { user_id: 'string', items: { type: 'int64', nullable: true } },
      partitionBy: ['user_id'],
      retention: '2h',
    })
    cluster.addRebalance('even')
    const wrong = () => {
      // @ts-expect-error The compiler knows that the table has no such column.
      cluster.addTable('wrong', { columns: { a: 'string' }, partitionBy: ['b'] })
    }
    assert.equal(typeof wrong, 'function')
  })
  assert.deepEqual(table.metadata, { name: 'events', namespace: 'elsewhere' })
  assert.deepEqual(table.spec, {
    clusterRef: { name: 'demo' },
    columns: [
      { name: 'user_id', type: 'string' },
      { name: 'items', type: 'int64', nullable: true },
    ],
    partitionBy: ['user_id'],
    retention: '2h',
  })
  assert.deepEqual([rebalance.kind, rebalance.spec], ['Rebalance', { clusterRef: { name: 'demo' } }])
})
