import { fileURLToPath } from 'node:url'
import { App, Chart, YamlOutputType } from 'cdk8s'
import { AnalyticsCluster } from '../cdk8s/src/analytics-cluster.ts'

/** A cluster and two of its tables as code: `node examples/cdk8s.ts` writes examples/cdk8s.yaml. */
const app = new App({
  outdir: fileURLToPath(new URL('.', import.meta.url)),
  outputFileExtension: '.yaml',
  yamlOutputType: YamlOutputType.FILE_PER_CHART,
})
const chart = new Chart(app, 'cdk8s', { disableResourceNameHashes: true })
const shop = new AnalyticsCluster(chart, 'shop', {
  brokers: ['kafka-0.example.com:9092', 'kafka-1.example.com:9092', 'kafka-2.example.com:9092'],
  postgresSecret: 'shop-postgres',
  redisSecret: 'shop-redis',
  shards: 3,
  storage: '20Gi',
  spec: { hotTier: { memoryPerShard: '8Gi', workers: 4 } },
})
shop.addTable('orders', {
  columns: { customer: 'string', country: 'string', amount: 'float64', items: 'int64' },
  partitionBy: ['customer'],
  retention: '6h',
  rollups: [{ dimensions: ['country'], metrics: ['amount', 'items'], granularity: '1s' }],
})
shop.addTable('clicks', {
  columns: { page: 'string', referrer: { type: 'string', nullable: true }, milliseconds: 'int64' },
  slots: 32,
  retention: '30m',
})
app.synth()
