import { Chart } from 'cdk8s'
import { KubeNamespace } from 'cdk8s-plus-27/lib/imports/k8s.js'
import type { Construct } from 'constructs'
import { AnalyticsCluster } from './analytics-cluster.ts'
import { DevelopmentKafka } from './development-kafka.ts'
import { DevelopmentPostgres } from './development-postgres.ts'
import { DevelopmentRedis } from './development-redis.ts'

/** Names and images of the quickstart. The images are those that `make up` builds; a registry's work as well. */
export type QuickstartProps = Readonly<{
  namespace: string
  cluster: string
  kafkaImage: string
  postgresImage: string
  redisImage: string
  postgresPassword: string
}>

/**
 * What a first look needs: Kafka, PostgreSQL and Redis for development, a TrueNowCluster with 2 shards and 2 replicas of
 * everything, and two Tables in two logical namespaces. Everything runs under Pod Security *restricted*.
 */
export class Quickstart extends Chart {
  constructor(scope: Construct, id: string, props: QuickstartProps) {
    super(scope, id, { disableResourceNameHashes: true })
    const { namespace, cluster } = props
    new KubeNamespace(this, 'namespace', {
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    })
    new DevelopmentKafka(this, 'kafka', { namespace, image: props.kafkaImage })
    const password = props.postgresPassword
    const postgres = { namespace, image: props.postgresImage, password, urlSecret: `${cluster}-postgres` }
    new DevelopmentPostgres(this, 'postgres', postgres)
    new DevelopmentRedis(this, 'redis', { namespace, image: props.redisImage, urlSecret: `${cluster}-redis` })
    const analytics = new AnalyticsCluster(this, cluster, {
      namespace,
      brokers: [`kafka.${namespace}.svc:9092`],
      postgresSecret: `${cluster}-postgres`,
      redisSecret: `${cluster}-redis`,
      spec: {
        // One broker, so that is all the replicas a topic can have.
        kafka: { topics: { replicationFactor: 1, minInsyncReplicas: 1 } },
        query: { replicas: 2, cacheTtlSeconds: 60 },
      },
    })
    analytics.addTable('events', { ...EVENTS, namespace: 'production' })
    analytics.addTable('staging-events', { ...EVENTS, namespace: 'staging', name: 'events' })
  }
}

const EVENTS = {
  columns: {
    region: 'string',
    product: 'string',
    user_id: 'string',
    latency_us: { type: 'int64', nullable: true },
    revenue: 'float64',
    items: 'int64',
  },
  partitionBy: ['user_id'],
  slots: 8,
  retention: '1h',
  allowedLateness: '10s',
  dedupWindow: '10m',
  rollups: [{ dimensions: ['region', 'product'], metrics: ['revenue'], granularity: '1s' }],
} as const
