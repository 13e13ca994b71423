import fc from 'fast-check'
import type { TrueNowCluster, TrueNowClusterSpec } from '../../api/v1alpha1/truenow-cluster.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]([-a-z0-9]{0,36}[a-z0-9])?$/)
const secret = fc.record({ name, key: fc.constantFrom('url', 'password') })
const quantity = fc
  .tuple(fc.integer({ min: 1, max: 64 }), fc.constantFrom('Gi', 'G', 'Ti'))
  .map(([n, unit]) => `${n}${unit}`)
/** What a user may write where the schema preserves unknown fields, the worst included. */
const anything = fc.dictionary(
  fc.constantFrom(
    'nodeSelector',
    'tolerations',
    'affinity',
    'priorityClassName',
    'hostNetwork',
    'hostPID',
    'hostIPC',
    'hostUsers',
    'securityContext',
    'containers',
    'initContainers',
    'ephemeralContainers',
    'volumes',
    'serviceAccountName',
    'automountServiceAccountToken',
    'enableServiceLinks',
    'shareProcessNamespace',
    'labels',
  ),
  fc.oneof(
    fc.boolean(),
    fc.constant({ privileged: true, runAsUser: 0, runAsNonRoot: false }),
    fc.constant([{ name: 'evil', hostPath: { path: '/' }, securityContext: { privileged: true } }]),
    fc.jsonValue({ maxDepth: 2 }),
  ),
)
const role = (replicas: number) =>
  fc.record(
    { replicas: fc.integer({ min: 1, max: replicas }), resources: anything },
    { requiredKeys: ['replicas'] },
  )
const autoscaling = fc.record(
  {
    maxReplicas: fc.constant(100),
    cpuPercent: fc.integer({ min: 1, max: 1_000 }),
    podMetric: fc.constant({ name: 'truenow_gateway_events_per_second', averageValue: '50k' }),
  },
  { requiredKeys: ['maxReplicas'] },
)
const elastic = fc
  .tuple(role(100), fc.option(autoscaling, { nil: undefined }))
  .map(([section, scaled]) => ({ ...section, autoscaling: scaled }))

const spec = fc
  .record(
    {
      image: fc.constantFrom('truenow:1', 'registry.example/truenow@sha256:abc'),
      imagePullPolicy: fc.constantFrom('Always', 'IfNotPresent', 'Never'),
      imagePullSecrets: fc.array(fc.record({ name }), { maxLength: 3 }),
      paused: fc.constant(false),
      deletionPolicy: fc.constantFrom('Retain', 'Delete'),
      kafka: fc.record(
        {
          brokers: fc.array(
            fc.integer({ min: 19_000, max: 65_535 }).map((port) => `kafka.example:${port}`),
            { minLength: 1, maxLength: 5 },
          ),
          topics: fc.constant({ replicationFactor: 3, minInsyncReplicas: 2 }),
          tls: fc.record(
            { enabled: fc.boolean(), caSecretRef: secret, certificateSecretRef: fc.record({ name }) },
            { requiredKeys: ['enabled'] },
          ),
          sasl: fc.record({
            mechanism: fc.constantFrom('SCRAM-SHA-512', 'SCRAM-SHA-256'),
            secretRef: fc.record({
              name,
              usernameKey: fc.constantFrom('username', 'user'),
              passwordKey: name,
            }),
          }),
        },
        { requiredKeys: ['brokers', 'topics'] },
      ),
      // Policies know PostgreSQL by its port: on one of ours, ours would be reached too.
      postgres: fc.record(
        { urlSecretRef: secret, port: fc.integer({ min: 1, max: 7_999 }), caSecretRef: secret },
        { requiredKeys: ['urlSecretRef', 'port'] },
      ),
      redis: fc.record(
        { urlSecretRef: secret, port: fc.integer({ min: 10_000, max: 18_999 }), caSecretRef: secret },
        { requiredKeys: ['urlSecretRef', 'port'] },
      ),
      hotTier: fc.record(
        {
          shards: fc.integer({ min: 1, max: 256 }),
          replicationFactor: fc.constant(1),
          memoryPerShard: quantity,
          workers: fc.integer({ min: 1, max: 64 }),
          storage: fc.record({ size: quantity, storageClassName: name }, { requiredKeys: ['size'] }),
          resources: anything,
        },
        { requiredKeys: ['shards', 'replicationFactor', 'memoryPerShard', 'workers', 'storage'] },
      ),
      gateway: elastic,
      ingester: elastic,
      query: elastic.map((section) => ({ ...section, cacheTtlSeconds: 60 })),
      watermark: role(100),
      controlPlane: role(100),
      podTemplate: anything,
    },
    {
      requiredKeys: [
        'paused',
        'deletionPolicy',
        'kafka',
        'postgres',
        'hotTier',
        'gateway',
        'ingester',
        'query',
        'watermark',
        'controlPlane',
      ],
    },
  )
  .map((drawn) => drawn as TrueNowClusterSpec)

/** Clusters that the CRD lets in, with the most hostile contents that it lets in. */
export const anyCluster: fc.Arbitrary<TrueNowCluster> = fc
  .record({ spec, name, namespace: name })
  .map(({ spec: drawn, ...key }) => ({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'TrueNowCluster',
    metadata: { ...key, uid: 'uid-of-the-cluster', generation: 1, resourceVersion: '1' },
    spec: JSON.parse(JSON.stringify(drawn)) as TrueNowClusterSpec, // As it would come over the wire.
  }))
