import fc from 'fast-check'
import type { TableSpec } from '../api/v1alpha1/table.ts'
import type { TrueNowClusterSpec } from '../api/v1alpha1/truenow-cluster.ts'

/*
 * Specs that a real API server takes, children included, in pairs of which either may follow the other: what cannot change,
 * or not back (shards, replicationFactor, storage, slots, names), is drawn once for both. So is whether an image is named:
 * unset means "what runs", which is another image afterwards by design.
 */
export type SpecPair<Spec> = Readonly<{ first: Spec; second: Spec }>

const optional = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const dns = fc.stringMatching(/^[a-z][a-z0-9]{0,12}$/)
const secretKey = fc.record({ name: dns, key: fc.constantFrom('url', 'password') })
const cpu = fc.integer({ min: 1, max: 4_000 }).map((milli) => `${milli}m`)
const memory = fc.integer({ min: 64, max: 4_096 }).map((mebibytes) => `${mebibytes}Mi`)
/**
 * Requests below limits, as the API server wants it; never empty: of an empty map that is applied over a full one server-side
 * apply makes a null, which the API server then refuses.
 */
const resources = fc.record(
  { requests: fc.record({ cpu, memory: fc.constant('32Mi') }), limits: fc.record({ memory }) },
  { requiredKeys: ['requests'] },
)
const role = fc.record({ replicas: fc.integer({ min: 1, max: 3 }), resources: optional(resources) })
/** Of one size, because how many pods an autoscaler has chosen is not the spec's to bring back. */
const autoscaled = fc
  .record({
    section: role,
    metric: fc.option(
      fc.record(
        {
          cpuPercent: fc.integer({ min: 1, max: 1_000 }),
          podMetric: fc.record({ name: dns, averageValue: fc.constantFrom('10', '1500m', '50k') }),
        },
        { requiredKeys: [] },
      ),
      { nil: undefined },
    ),
  })
  .map(({ section, metric }) => ({
    ...section,
    autoscaling: metric && { ...metric, maxReplicas: section.replicas },
  }))
const toleration = fc.record({
  key: dns,
  operator: fc.constant('Exists'),
  effect: fc.constantFrom('NoSchedule', 'NoExecute', 'PreferNoSchedule'),
})
const podTemplate = fc.record(
  {
    nodeSelector: fc.dictionary(dns, dns, { minKeys: 1, maxKeys: 3 }),
    tolerations: fc.array(toleration, { minLength: 1, maxLength: 2 }),
    priorityClassName: fc.constantFrom('system-cluster-critical'),
    affinity: dns.map((zone) => ({
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 7,
            preference: { matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] },
          },
        ],
      },
    })),
  },
  { requiredKeys: ['nodeSelector'] },
)
const broker = fc
  .tuple(dns, fc.integer({ min: 19_000, max: 19_009 }))
  .map(([host, port]) => `${host}.example:${port}`)
const topics = fc.integer({ min: 1, max: 5 }).chain((replicationFactor) =>
  fc.record({
    replicationFactor: fc.constant(replicationFactor),
    minInsyncReplicas: fc.integer({ min: 1, max: replicationFactor }),
  }),
)
const kafkaTls = fc.record({
  enabled: fc.constant(true),
  caSecretRef: optional(secretKey),
  certificateSecretRef: optional(fc.record({ name: dns })),
})
/** PLAIN within TLS only. */
const kafkaSasl = (tls: object | undefined) =>
  fc.record({
    mechanism: fc.constantFrom('SCRAM-SHA-512', 'SCRAM-SHA-256', ...(tls === undefined ? [] : ['PLAIN'])),
    secretRef: fc.record({ name: dns, usernameKey: fc.constantFrom('username', 'user'), passwordKey: dns }),
  })
const kafka = optional(kafkaTls).chain((tls) =>
  fc.record({
    brokers: fc.uniqueArray(broker, { minLength: 1, maxLength: 4 }),
    topics,
    tls: fc.constant(tls),
    sasl: optional(kafkaSasl(tls)),
  }),
)
const monitoring = fc.record({
  serviceMonitor: fc.boolean(),
  prometheusRule: fc.boolean(),
  dashboards: fc.boolean(),
  labels: optional(fc.dictionary(dns, dns, { minKeys: 1, maxKeys: 2 })),
  freshnessSeconds: fc.integer({ min: 1, max: 86_400 }),
  alertDelayPercent: fc.integer({ min: 0, max: 1_000 }),
})

/** What a user may change at any time. */
const changing = fc.record({
  image: fc.constantFrom('truenow:1', 'truenow:2', 'registry.example/truenow@sha256:abc'),
  imagePullPolicy: optional(fc.constantFrom('Always', 'IfNotPresent', 'Never')),
  imagePullSecrets: optional(fc.uniqueArray(fc.record({ name: dns }), { selector: ({ name }) => name, minLength: 1, maxLength: 3 })), // biome-ignore format: one line
  deletionPolicy: fc.constantFrom('Retain', 'Delete'),
  kafka,
  postgres: fc.record({
    urlSecretRef: secretKey,
    port: fc.integer({ min: 1, max: 7_999 }),
    caSecretRef: optional(secretKey),
  }),
  redis: optional(
    fc.record({
      urlSecretRef: secretKey,
      port: fc.integer({ min: 10_000, max: 18_999 }),
      caSecretRef: optional(secretKey),
    }),
  ),
  memoryPerShard: fc.integer({ min: 2, max: 64 }).map((gibibytes) => `${gibibytes}Gi`),
  workers: fc.integer({ min: 1, max: 4 }),
  shardResources: optional(resources),
  gateway: autoscaled,
  ingester: autoscaled,
  query: fc
    .tuple(autoscaled, fc.integer({ min: 1, max: 86_400 }))
    .map(([section, cacheTtlSeconds]) => ({ ...section, cacheTtlSeconds })),
  watermark: role,
  controlPlane: role,
  monitoring: optional(monitoring),
  rebalance: optional(
    fc.record({
      mode: fc.constantFrom('Manual', 'Auto'),
      concurrentMoves: fc.integer({ min: 1, max: 64 }),
    }),
  ),
  podTemplate: optional(podTemplate),
})
const fixed = fc.integer({ min: 1, max: 4 }).chain((shards) =>
  fc.record({
    shards: fc.constant(shards),
    replicationFactor: fc.integer({ min: 1, max: shards }),
    storage: fc.record({ size: memory, storageClassName: optional(dns) }),
    namesImage: fc.boolean(),
  }),
)

export const anyClusterSpecs: fc.Arbitrary<SpecPair<TrueNowClusterSpec>> = fc
  .record({ fixed, first: changing, second: changing })
  .map(({ fixed: { namesImage, ...hotTier }, ...two }) => {
    const whole = ({ image, memoryPerShard, workers, shardResources, ...rest }: typeof two.first) =>
      asSent({
        paused: false,
        ...rest,
        ...(namesImage ? { image } : {}),
        hotTier: { ...hotTier, memoryPerShard, workers, resources: shardResources },
      }) as TrueNowClusterSpec
    return { first: whole(two.first), second: whole(two.second) }
  })

const NUMBERS = ['int64', 'float64']
const KEYS = ['string', 'bool', 'int64']
const duration = fc.integer({ min: 1, max: 59 }).chain((n) => fc.constantFrom(`${n}s`, `${n}m`))
const columns = fc.uniqueArray(
  fc.record({
    name: fc.stringMatching(/^c[a-z0-9_]{0,20}$/),
    type: fc.constantFrom('string', 'int64', 'float64', 'bool', 'timestamp'),
    nullable: fc.boolean(),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 8 },
)
type Columns = ReadonlyArray<Readonly<{ name: string; type: string }>>
const namesOf = (of: Columns, types: readonly string[]) =>
  of.filter(({ type }) => types.includes(type)).map(({ name }) => name)
const rollup = (of: Columns) =>
  fc.record({
    dimensions: fc.subarray(namesOf(of, KEYS).slice(0, 3)),
    metrics: fc.subarray(namesOf(of, NUMBERS).slice(0, 3)),
    granularity: fc.constantFrom('1s', '1m'),
  })
const changingOfTable = (of: Columns) =>
  fc.record({
    retention: duration,
    allowedLateness: duration,
    dedupWindow: duration,
    maxFutureSkew: duration,
    idleTimeout: duration,
    onMemoryFull: fc.constantFrom('Evict', 'Stall'),
    deletionPolicy: fc.constantFrom('Retain', 'Delete'),
    rollups: optional(fc.array(rollup(of), { maxLength: 1 })),
  })

/** Of the cluster `demo`. Columns stay: one that was added can never be taken away again. */
export const anyTableSpecs: fc.Arbitrary<SpecPair<TableSpec>> = columns.chain((drawn) =>
  fc
    .record({
      fixed: fc.record({
        partitionBy: optional(fc.subarray(drawn.map(({ name }) => name))), // biome-ignore format: one line
        slots: fc.integer({ min: 1, max: 16 }),
        namespace: optional(fc.constantFrom('production', 'staging')),
      }),
      first: changingOfTable(drawn),
      second: changingOfTable(drawn),
    })
    .map(({ fixed: same, ...two }) => {
      const whole = (changed: typeof two.first) =>
        asSent({
          clusterRef: { name: 'demo' },
          columns: drawn,
          timeColumn: 'event_time_us',
          idColumn: 'event_id',
          source: { gateway: {} },
          ...same,
          ...changed,
        }) as TableSpec
      return { first: whole(two.first), second: whole(two.second) }
    }),
)

/** What is undefined does not go over the wire. */
const asSent = (spec: unknown): unknown => JSON.parse(JSON.stringify(spec))
