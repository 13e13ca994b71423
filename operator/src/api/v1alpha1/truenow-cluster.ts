import { type Static, type TProperties, Type } from 'typebox'
import { type Condition, ConditionSchema } from '../condition.ts'
import type { ObjectMeta } from '../object-meta.ts'

const BROKER_PATTERN = '^[A-Za-z0-9.-]+:[0-9]{1,5}$'
const BYTES_PATTERN = '^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$'

/** What a shard does without being told: then nothing of its pods says so, and an older cluster keeps its template. */
export const HOT_TIER_WORKERS_DEFAULT = 1

/** Longer than a node takes to come back, or Kubernetes to give its pods up. */
export const REPLACE_AFTER_DEFAULT = '10m'
export const HOT_SLOT_PERCENT_DEFAULT = 70

const preserved = (description: string) =>
  Type.Unsafe<Readonly<Record<string, unknown>>>({
    type: 'object',
    description,
    'x-kubernetes-preserve-unknown-fields': true,
  })
const SecretKeyRef = (what: string, key = 'url', value = 'the URL') =>
  Type.Object(
    {
      name: Type.String({
        minLength: 1,
        description: `Name of the Secret, in the cluster's namespace, that holds ${what}.`,
      }),
      key: Type.String({
        minLength: 1,
        default: key,
        description: `Key inside that Secret; its value is ${value}.`,
      }),
    },
    { description: `Where ${what} is kept; it is mounted as a file, never put into the environment.` },
  )
/** Authorities of one outside system. */
const caSecretRef = (what: string, without: string) =>
  Type.Optional(
    Type.Object(SecretKeyRef(`the authority of ${what}`, 'ca.crt', 'its certificate in PEM').properties, {
      description: `The authority that issued the certificate of ${what}. ${without}`,
    }),
  )
/** `enabled` has no default: a section of defaults alone says nothing, and this one decides between TLS and plain text. */
const KafkaTlsSection = Type.Object(
  {
    enabled: Type.Boolean({
      description: 'True: brokers are spoken to over TLS, and must prove their names.',
    }),
    caSecretRef: caSecretRef('the brokers', 'Default: the public authorities that Node brings.'),
    certificateSecretRef: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            minLength: 1,
            description: 'Name of a Secret of type kubernetes.io/tls in the cluster’s namespace.',
          }),
        },
        { description: 'Certificate and key that are shown to brokers which ask for them. Default: none.' },
      ),
    ),
  },
  { description: 'TLS to the brokers. Default: plain text. Secrets that change need no restart.' },
)
const KafkaSaslSection = Type.Object(
  {
    mechanism: Type.String({
      enum: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'PLAIN'],
      default: 'SCRAM-SHA-512',
      description: 'How user name and password are shown; PLAIN over TLS only.',
    }),
    secretRef: Type.Object(
      {
        name: Type.String({
          minLength: 1,
          description: 'Name of the Secret, in the cluster’s namespace, that holds user name and password.',
        }),
        usernameKey: Type.String({
          minLength: 1,
          default: 'username',
          description: 'Key inside that Secret; its value is the user name.',
        }),
        passwordKey: Type.String({
          minLength: 1,
          default: 'password',
          description: 'Key inside that Secret; its value is the password.',
        }),
      },
      { description: 'Where they are kept; they are mounted as files, never put into the environment.' },
    ),
  },
  { description: 'Who the pods are to Kafka. Default: nobody. A Secret that changes needs no restart.' },
)
/** What watches the cluster; the fields stand for kinds of the Prometheus Operator, and for Grafana's sidecar. */
const MonitoringSection = Type.Object(
  {
    serviceMonitor: Type.Boolean({
      default: false,
      description:
        'True: a ServiceMonitor, so that the Prometheus Operator scrapes every pod of the cluster.',
    }),
    prometheusRule: Type.Boolean({
      default: false,
      description: 'True: a PrometheusRule with the alerts of docs/runbooks; they need the ServiceMonitor.',
    }),
    dashboards: Type.Boolean({
      default: false,
      description: 'True: a ConfigMap for each Grafana dashboard, labelled grafana_dashboard: "1".',
    }),
    labels: Type.Optional(
      Type.Unsafe<Readonly<Record<string, string>>>({
        type: 'object',
        maxProperties: 16,
        additionalProperties: { type: 'string', maxLength: 63 },
        description:
          'Labels for all of these, such as release: prometheus, where a Prometheus or Grafana selects by them.',
      }),
    ),
    freshnessSeconds: Type.Integer({
      minimum: 1,
      maximum: 86_400,
      default: 60,
      description:
        'Seconds that complete answers may be behind before TrueNowTableStale; above each table’s idleTimeout.',
    }),
    alertDelayPercent: Type.Integer({
      minimum: 0,
      maximum: 1_000,
      default: 100,
      description: 'How long alerts wait before they fire, in percent of their own time; less for a trial.',
    }),
  },
  { description: 'Objects for Prometheus and Grafana that the operator keeps; none where it is unset.' },
)
/** How the roles of a cluster speak to each other. Not `Off`: a bare one is false to kubectl, whose YAML is 1.1. */
const TlsSection = Type.Object(
  {
    mode: Type.String({
      enum: ['Disable', 'Prefer', 'Require'],
      default: 'Disable',
      description:
        'Require: calls between roles need a certificate of the cluster. Prefer: they have one, and plain text is taken too. Disable: plain text. May be changed at any time.',
    }),
  },
  {
    description:
      'Certificates between roles, which the operator issues, renews and keeps in Secrets; the users’ ports stay plain.',
  },
)
/** A URL is a secret that the operator never reads, and the network policies must name a port. */
const Port = (what: string, byDefault: number) =>
  Type.Integer({
    minimum: 1,
    maximum: 65_535,
    default: byDefault,
    description: `Port of ${what} in that URL; the network policies let pods reach this one only.`,
  })
/** An autoscaler of a role; only roles that hold nothing have one. */
const AutoscalingSection = Type.Object(
  {
    maxReplicas: Type.Integer({
      minimum: 1,
      maximum: 100,
      description: 'Pods at most; replicas is the floor.',
    }),
    cpuPercent: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        description:
          'CPU to aim at, in percent of what the container requests. Default: 70, or none where podMetric is set.',
      }),
    ),
    podMetric: Type.Optional(
      Type.Object(
        {
          name: Type.String({
            minLength: 1,
            description: 'A metric of the pods, as the custom metrics API of your cluster names it.',
          }),
          averageValue: Type.String({
            pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$',
            description: 'Its average over the pods to aim at, such as 50k.',
          }),
        },
        { description: 'A metric of ours to scale by, which your metrics adapter serves.' },
      ),
    ),
  },
  { description: 'A HorizontalPodAutoscaler for the role; none where it is unset.' },
)
export type Autoscaling = Readonly<Static<typeof AutoscalingSection>>
const autoscaling = { autoscaling: Type.Optional(AutoscalingSection) }
const scaledAbove = {
  'x-kubernetes-validations': [
    {
      rule: '!has(self.autoscaling) || self.replicas <= self.autoscaling.maxReplicas',
      message: 'autoscaling.maxReplicas is below replicas, which is its floor; raise it or lower replicas',
    },
  ],
}
const RoleSection = <Extra extends TProperties>(
  role: string,
  replicasByDefault: number,
  extra: Extra,
  rules: Readonly<Record<string, unknown>> = {},
) =>
  Type.Object(
    {
      replicas: Type.Integer({
        minimum: 1,
        maximum: 100,
        default: replicasByDefault,
        description: `Pods of the ${role}; two or more survive the loss of one without a gap.`,
      }),
      resources: Type.Optional(preserved(`Requests and limits of the ${role}'s container, as in any pod.`)),
      ...extra,
    },
    { default: {}, description: `Size of the ${role} Deployment.`, ...rules },
  )

/** crds/truenowclusters.yaml is generated from this by `make generate`. */
/** Shards that are being emptied, one entry each. */
const waitingShards = (
  description: string,
  { shard, pod, predicate }: Readonly<{ shard: string; pod: string; predicate: string }>,
) =>
  Type.Array(
    Type.Object(
      {
        pod: Type.String({ description: pod }),
        predicate: Type.String({ description: predicate }),
        message: Type.String({ description: 'Why that is not so yet.' }),
      },
      { description: shard },
    ),
    { description },
  )

export const TrueNowClusterSpec = Type.Object(
  {
    image: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Image of every role. Unset: what the shards run, at creation the operator’s own.',
      }),
    ),
    imagePullPolicy: Type.Optional(
      Type.String({
        enum: ['Always', 'IfNotPresent', 'Never'],
        description: 'When the kubelet pulls the image. Default: IfNotPresent.',
      }),
    ),
    imagePullSecrets: Type.Optional(
      Type.Array(
        Type.Object(
          { name: Type.String({ description: 'Name of a Secret of type dockerconfigjson.' }) },
          { description: 'One Secret in the namespace of the cluster.' },
        ),
        {
          maxItems: 16,
          description: 'Secrets with which the kubelet pulls the image.',
        },
      ),
    ),
    paused: Type.Boolean({
      default: false,
      description: 'True: the operator changes nothing, but goes on telling status.',
    }),
    upgradePolicy: Type.Optional(
      Type.String({
        enum: ['OnSpecChange', 'Always'],
        description:
          'When pods take over what a new operator would make otherwise. OnSpecChange: with the next change of the spec that concerns them. Always: at once. Default: OnSpecChange.',
      }),
    ),
    deletionPolicy: Type.String({
      enum: ['Retain', 'Delete'],
      default: 'Retain',
      description:
        'What becomes of topics, catalog and volumes when this object is deleted: Retain keeps, Delete removes them.',
    }),
    kafka: Type.Object(
      {
        brokers: Type.Array(
          Type.String({
            pattern: BROKER_PATTERN,
            description: 'One broker as host:port, reachable from pods.',
          }),
          {
            minItems: 1,
            maxItems: 32,
            description:
              'Brokers to start from, such as kafka:9092; the others are found through them, on the ports listed here.',
          },
        ),
        topics: Type.Object(
          {
            replicationFactor: Type.Integer({
              minimum: 1,
              maximum: 15,
              default: 3,
              description: 'Replicas of each topic of ours in Kafka.',
            }),
            minInsyncReplicas: Type.Integer({
              minimum: 1,
              maximum: 15,
              default: 2,
              description: 'Replicas that must have a record before it is acknowledged.',
            }),
          },
          {
            // In full: the rule below is tried on this very value, before the defaults inside are filled in.
            default: { replicationFactor: 3, minInsyncReplicas: 2 },
            description: 'How the topics of tables are created; existing ones are checked against it.',
            'x-kubernetes-validations': [
              {
                rule: 'self.minInsyncReplicas <= self.replicationFactor',
                message:
                  'minInsyncReplicas is above replicationFactor, so nothing could ever be acknowledged; lower it',
              },
            ],
          },
        ),
        tls: Type.Optional(KafkaTlsSection),
        sasl: Type.Optional(KafkaSaslSection),
      },
      {
        description: 'The Kafka that holds every event; it is yours and is never created or scaled.',
        'x-kubernetes-validations': [
          {
            rule: "!has(self.sasl) || self.sasl.mechanism != 'PLAIN' || (has(self.tls) && self.tls.enabled)",
            message:
              'sasl.mechanism PLAIN sends the password readable to all on the way; set tls.enabled to true, or choose a SCRAM mechanism',
          },
        ],
      },
    ),
    postgres: Type.Object(
      {
        urlSecretRef: SecretKeyRef('the URL of PostgreSQL'),
        port: Port('PostgreSQL', 5_432),
        caSecretRef: caSecretRef(
          'PostgreSQL',
          'With it the connection is sslmode=verify-full whatever the URL says. Default: as the URL says.',
        ),
      },
      { description: 'The PostgreSQL that holds the catalog, in a schema of this cluster’s own.' },
    ),
    redis: Type.Optional(
      Type.Object(
        {
          urlSecretRef: SecretKeyRef('the URL of Redis'),
          port: Port('Redis', 6_379),
          caSecretRef: caSecretRef(
            'Redis',
            'With it the connection is over TLS whatever the URL says. Default: as the URL says; rediss:// with public authorities.',
          ),
        },
        { description: 'The Redis that caches query results. Without it every query is computed.' },
      ),
    ),
    hotTier: Type.Object(
      {
        shards: Type.Integer({
          minimum: 1,
          maximum: 256,
          description:
            'Number of shards, one pod with one volume each. More come up empty; a Rebalance moves slots to them. Fewer: the last ones are emptied, then removed with their volumes.',
        }),
        replicationFactor: Type.Integer({
          minimum: 1,
          maximum: 8,
          default: 2,
          description:
            'Replicas of every slot, each on another shard. Changed online: added ones are copied first, the others leave while enough answer.',
        }),
        memoryPerShard: Type.String({
          pattern: BYTES_PATTERN,
          default: '1Gi',
          description:
            'Memory limit of a shard, at least 512Mi; half of it is for its process, and of that what the runtime leaves for rows.',
        }),
        workers: Type.Integer({
          minimum: 1,
          maximum: 64,
          default: HOT_TIER_WORKERS_DEFAULT,
          description:
            'Worker threads of a shard. They share its slots and its memory equally; each keeps one core busy under load.',
        }),
        drain: Type.Optional(
          Type.Array(
            Type.Integer({
              minimum: 0,
              maximum: 255,
              description: 'Ordinal of a shard, the number at the end of its pod’s name.',
            }),
            {
              maxItems: 256,
              description:
                'Shards that shall hold no slot: theirs move to the others, where these have room, and none comes back until the ordinal is taken out. kubectl truenow drain and uncordon write it.',
              'x-kubernetes-list-type': 'set',
            },
          ),
        ),
        storage: Type.Object(
          {
            size: Type.String({
              pattern: BYTES_PATTERN,
              maxLength: 32,
              description:
                'Size of each shard’s volume: snapshots, about twice its rows. It may be raised, where the StorageClass lets volumes grow.',
            }),
            storageClassName: Type.Optional(
              Type.String({
                maxLength: 253,
                description: 'StorageClass of the volumes. Default: the cluster’s default class.',
              }),
            ),
          },
          {
            description:
              'The volume of each shard; volumes outlive pods, and the cluster unless deletionPolicy is Delete.',
          },
        ),
        resources: Type.Optional(
          preserved(
            'Requests and limits of a shard’s container, instead of those that memoryPerShard gives.',
          ),
        ),
      },
      {
        description: 'The shards that hold the rows in memory and answer.',
        'x-kubernetes-validations': [
          {
            rule: 'self.replicationFactor <= self.shards',
            message:
              'replicationFactor is above shards, so replicas would share a shard; raise shards or lower replicationFactor',
          },
          {
            rule: '!has(self.drain) || self.replicationFactor <= self.shards - self.drain.filter(shard, shard < self.shards).size()',
            message:
              'drain leaves fewer shards than replicationFactor; take a shard out of it, raise shards or lower replicationFactor',
          },
          {
            rule: 'self.storage.size == oldSelf.storage.size || quantity(self.storage.size).isGreaterThan(quantity(oldSelf.storage.size))',
            message:
              'storage.size can only be raised: volumes do not shrink; set it back, or above what it was',
          },
          {
            rule: "(has(self.storage.storageClassName) ? self.storage.storageClassName : '') == (has(oldSelf.storage.storageClassName) ? oldSelf.storage.storageClassName : '')",
            message:
              'storage.storageClassName cannot change: volumes stay where they are; create another cluster',
          },
        ],
      },
    ),
    gateway: RoleSection('gateway', 2, autoscaling, scaledAbove),
    ingester: RoleSection('ingester', 2, autoscaling, scaledAbove),
    query: RoleSection(
      'query',
      2,
      {
        ...autoscaling,
        cacheTtlSeconds: Type.Integer({
          minimum: 1,
          maximum: 86_400,
          default: 60,
          description: 'Seconds that a result stays in Redis.',
        }),
      },
      scaledAbove,
    ),
    watermark: RoleSection('watermark', 1, {}),
    controlPlane: RoleSection('control-plane', 1, {}),
    monitoring: Type.Optional(MonitoringSection),
    tls: Type.Optional(TlsSection),
    rebalance: Type.Optional(
      Type.Object(
        {
          mode: Type.String({
            enum: ['Manual', 'Auto'],
            default: 'Manual',
            description:
              'Manual: a Rebalance waits for the annotation truenow.io/approve. Auto: it is approved as soon as it proposes.',
          }),
          concurrentMoves: Type.Integer({
            minimum: 1,
            maximum: 64,
            default: 2,
            description: 'Slots that may be copied or change over at once.',
          }),
          replaceAfter: Type.String({
            pattern: '^[0-9]{1,9}(ms|s|m|h|d)$',
            default: REPLACE_AFTER_DEFAULT,
            description:
              'A shard that is silent for so long is lost for good, and its replicas are made anew on others; 0s: never.',
          }),
          hotSlotPercent: Type.Integer({
            minimum: 10,
            maximum: 90,
            default: HOT_SLOT_PERCENT_DEFAULT,
            description:
              'A slot that takes so many percent of what one slot may, a core or half of its worker’s memory, is hot: proposals move it, or its Table says why not.',
          }),
        },
        { description: 'How replicas may be moved between shards. Default: Manual, two at once.' },
      ),
    ),
    podTemplate: Type.Optional(
      preserved('Added to every pod: nodeSelector, tolerations, affinity, priorityClassName.'),
    ),
  },
  { description: 'What this cluster shall be: its dependencies, its shards and the size of each role.' },
)
export type TrueNowClusterSpec = Readonly<Static<typeof TrueNowClusterSpec>>

export const TrueNowClusterStatus = Type.Object(
  {
    observedGeneration: Type.Integer({ description: 'Generation of the spec that this status speaks of.' }),
    phase: Type.String({
      description: 'One word: Pending, Creating, Ready, Degraded, Paused, Invalid or Deleting.',
    }),
    ready: Type.String({ description: 'Ready pods of all pods wanted, such as 9/9.' }),
    shards: Type.String({ description: 'Ready shards of desired shards, such as 2/2.' }),
    readyShards: Type.Integer({ description: 'Shards whose pod is ready.' }),
    desiredShards: Type.Integer({ description: 'Shards that the spec asks for.' }),
    replicas: Type.Integer({ description: 'Shard pods that exist; for the scale subresource.' }),
    selector: Type.String({ description: 'Label selector of the shard pods; for the scale subresource.' }),
    freshness: Type.String({
      description: 'How far the slowest table is behind, by class: <1s, <10s, <1m, Stale or Unknown.',
    }),
    image: Type.String({ description: 'Image that the roles are told to run.' }),
    inProgressOperations: Type.Object(
      {
        upgrade: Type.Optional(
          Type.Object(
            {
              role: Type.String({
                description: 'Role whose pods are being brought to their newest template.',
              }),
              pod: Type.Optional(
                Type.String({ description: 'Pod that restarts now, or that would be the next to.' }),
              ),
              predicate: Type.Optional(
                Type.String({
                  description: 'The first of the conditions of a restart that does not hold yet.',
                }),
              ),
              message: Type.String({ description: 'How far it is, and what it waits for.' }),
            },
            { description: 'New templates on their way to the pods.' },
          ),
        ),
        downscale: Type.Optional(
          waitingShards('Shards that shall go, and what each waits for; absent where none does.', {
            shard: 'One shard that shall go.',
            pod: 'Pod of a shard that shall go.',
            predicate:
              'What it waits for, such as no_shard_restarts, capacity_for_the_rest, shard_is_empty, pod_is_gone or volume_is_gone.',
          }),
        ),
        drain: Type.Optional(
          waitingShards('Shards of hotTier.drain, and what each waits for; absent where none is.', {
            shard: 'One shard of hotTier.drain.',
            pod: 'Pod of a shard that is drained.',
            predicate:
              'What it waits for, such as no_shard_restarts, capacity_for_the_rest, shard_is_empty, or shard_is_uncordoned once it holds nothing.',
          }),
        ),
      },
      { description: 'What the operator is in the midst of; empty where it rests.' },
    ),
    operator: Type.String({ description: 'Operator that holds this cluster; another one leaves it alone.' }),
    admissionPolicy: Type.String({
      description:
        'The chart’s policy against deletion of what is labelled truenow.io/deletion-protection: Installed, Missing or Unobserved.',
    }),
    unobserved: Type.Array(Type.String({ description: 'One object, as <plural>.<group>/<name>.' }), {
      description:
        'What this operator may not look at: it has a Role in its namespaces and no rights beyond. Absent: nothing.',
      'x-kubernetes-list-type': 'atomic',
    }),
    conditions: Type.Array(ConditionSchema, {
      description:
        'SpecValid, Synced, Available, OperandReachable, KafkaReachable, Ready, UpgradeBlocked; Monitored and Secured once they were asked for, ScalingDown, Draining and Rebalancing once there was something to say.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  },
  { description: 'What the operator last saw; written by it alone.' },
)

export type TrueNowClusterStatus = Readonly<
  Partial<Omit<Static<typeof TrueNowClusterStatus>, 'conditions'>>
> & {
  readonly conditions?: readonly Condition[]
}
export type TrueNowCluster = Readonly<{
  apiVersion: string
  kind: 'TrueNowCluster'
  metadata: ObjectMeta
  spec: TrueNowClusterSpec
  status?: TrueNowClusterStatus
}>
