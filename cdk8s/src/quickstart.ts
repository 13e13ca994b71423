import { ApiObject, Chart, JsonPatch } from 'cdk8s'
import { KubeNamespace } from 'cdk8s-plus-27/lib/imports/k8s.js'
import type { Construct } from 'constructs'
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
    this.custom('TrueNowCluster', cluster, namespace, {
      kafka: {
        brokers: [`kafka.${namespace}.svc:9092`],
        topics: { replicationFactor: 1, minInsyncReplicas: 1 },
      },
      postgres: { urlSecretRef: { name: `${cluster}-postgres`, key: 'url' } },
      redis: { urlSecretRef: { name: `${cluster}-redis`, key: 'url' } },
      hotTier: { shards: 2, replicationFactor: 2, memoryPerShard: '1Gi', storage: { size: '2Gi' } },
      gateway: { replicas: 2 },
      ingester: { replicas: 2 },
      query: { replicas: 2, cacheTtlSeconds: 60 },
    })
    this.custom('Table', 'events', namespace, {
      ...eventsTable(cluster),
      namespace: 'production',
    })
    this.custom('Table', 'staging-events', namespace, {
      ...eventsTable(cluster),
      namespace: 'staging',
      name: 'events',
    })
  }

  private custom(
    kind: string,
    name: string,
    namespace: string,
    spec: Readonly<Record<string, unknown>>,
  ): void {
    const id = `${kind.toLowerCase()}-${name}`
    const object = new ApiObject(this, id, {
      apiVersion: 'truenow.io/v1alpha1',
      kind,
      metadata: { name, namespace },
    })
    object.addJsonPatch(JsonPatch.add('/spec', spec))
  }
}

const eventsTable = (cluster: string) => ({
  clusterRef: { name: cluster },
  columns: [
    { name: 'region', type: 'string' },
    { name: 'product', type: 'string' },
    { name: 'user_id', type: 'string' },
    { name: 'latency_us', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64' },
    { name: 'items', type: 'int64' },
  ],
  partitionBy: ['user_id'],
  slots: 8,
  retention: '1h',
  allowedLateness: '10s',
  dedupWindow: '10m',
  rollups: [{ dimensions: ['region', 'product'], metrics: ['revenue'], granularity: '1s' }],
})
