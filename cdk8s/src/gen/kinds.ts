// Generated from crds/ by cdk8s/src/generate-kinds.ts (make generate). Do not edit.
import { ApiObject, type ApiObjectMetadata, JsonPatch } from 'cdk8s'
import type { Construct } from 'constructs'

/** The cluster whose slots are looked at. */
export interface RebalanceSpecClusterRef {
  /** Name of a TrueNowCluster in the same Kubernetes namespace. */
  readonly name: string
}

/** What is to be proposed. Nothing moves before it is approved: annotate it with truenow.io/approve=true. */
export interface RebalanceSpec {
  /** The cluster whose slots are looked at. */
  readonly clusterRef: RebalanceSpecClusterRef
  /**
   * Full: spread the replicas of every table evenly over all shards. RemoveShards: empty the shards that shall go or are drained. Repair: as many replicas as there shall be. The last two the operator makes itself.
   * @default "Full"
   */
  readonly mode?: 'Full' | 'RemoveShards' | 'Repair'
}

/** A proposal which replicas to move so that the shards of a cluster are even, and once approved their moves. */
export class Rebalance extends ApiObject {
  constructor(scope: Construct, id: string, props: Readonly<{ metadata?: ApiObjectMetadata; spec: RebalanceSpec }>) {
    const { metadata = {}, spec } = props
    super(scope, id, { apiVersion: 'truenow.io/v1alpha1', kind: 'Rebalance', metadata })
    // As a patch: cdk8s sorts what it is given, and people read a spec in the order in which it was written.
    this.addJsonPatch(JsonPatch.add('/spec', spec))
  }
}

/** Where events come from; in this version the gateway. */
export interface TableSpecSource {
  /**
   * Events come through the gateway, over HTTP or gRPC.
   * @default {}
   */
  readonly gateway?: Readonly<Record<string, unknown>>
}

/** Rows folded ahead by time and dimensions, so that queries read a few cells instead. */
export interface TableSpecRollups {
  /** Columns that queries filter and group by. Every prefix of the list is folded too, so name the one most used first. */
  readonly dimensions: readonly string[]
  /**
   * Columns whose count, sum, average, least and greatest value are asked for.
   * @default []
   */
  readonly metrics?: readonly string[]
  /**
   * The finest step of event time that is folded; coarser ones are folded from it.
   * @default "1s"
   */
  readonly granularity?: '1s' | '10s' | '1m' | '10m' | '1h'
}

/** One column, beside the id and the time that every table has. */
export interface TableSpecColumns {
  /** Name of the column: lower case, digits, underscores. */
  readonly name: string
  /** Type of its values; a timestamp is an integer, µs since 1970. */
  readonly type: 'string' | 'int64' | 'float64' | 'bool' | 'timestamp'
  /**
   * Whether an event may leave it out or send null.
   * @default false
   */
  readonly nullable?: boolean
}

/** The cluster that holds this table. */
export interface TableSpecClusterRef {
  /** Name of a TrueNowCluster in the same Kubernetes namespace. */
  readonly name: string
}

/** What this table shall be: its columns, how it is cut into slots, and how long rows are held. */
export interface TableSpec {
  /** The cluster that holds this table. */
  readonly clusterRef: TableSpecClusterRef
  /** Logical namespace (tenant). Default: the Kubernetes namespace with - as _. */
  readonly namespace?: string
  /** Name in queries and paths. Default: the object’s name with - as _. */
  readonly name?: string
  /** Columns of an event. A nullable one may be added later; none can be removed. */
  readonly columns: readonly TableSpecColumns[]
  /**
   * Column of the event’s own time, int64 µs since 1970.
   * @default "event_time_us"
   */
  readonly timeColumn?: string
  /**
   * Column of the id by which duplicates are removed.
   * @default "event_id"
   */
  readonly idColumn?: string
  /** Columns whose values choose the slot. Default: the id. A resend must carry the same values. */
  readonly partitionBy?: readonly string[]
  /**
   * Partitions of the table’s topic; each is held by whole shards.
   * @default 8
   */
  readonly slots?: number
  /**
   * Event time that is held, such as 1h; older rows leave.
   * @default "1h"
   */
  readonly retention?: string
  /**
   * How late an event may come before the watermark passes it.
   * @default "10s"
   */
  readonly allowedLateness?: string
  /**
   * How long an id is remembered; resend within it.
   * @default "10m"
   */
  readonly dedupWindow?: string
  /**
   * How far ahead of the gateway’s clock an event may be.
   * @default "1m"
   */
  readonly maxFutureSkew?: string
  /**
   * Silence after which an idle slot stops holding the watermark back.
   * @default "1s"
   */
  readonly idleTimeout?: string
  /**
   * When a shard’s memory is full: Evict drops the oldest rows, Stall stops reading.
   * @default "Evict"
   */
  readonly onMemoryFull?: 'Evict' | 'Stall'
  /** What shards fold ahead. It may change at any time: answers stay the same, only faster or slower. */
  readonly rollups?: readonly TableSpecRollups[]
  /**
   * Where events come from; in this version the gateway.
   * @default {"gateway":{}}
   */
  readonly source?: TableSpecSource
  /**
   * What becomes of the topic when this object is deleted: Retain keeps it for adoption, Delete removes it.
   * @default "Retain"
   */
  readonly deletionPolicy?: 'Retain' | 'Delete'
}

/** A table of a TrueNow cluster: its columns, its slots and how long its rows are held. */
export class Table extends ApiObject {
  constructor(scope: Construct, id: string, props: Readonly<{ metadata?: ApiObjectMetadata; spec: TableSpec }>) {
    const { metadata = {}, spec } = props
    super(scope, id, { apiVersion: 'truenow.io/v1alpha1', kind: 'Table', metadata })
    // As a patch: cdk8s sorts what it is given, and people read a spec in the order in which it was written.
    this.addJsonPatch(JsonPatch.add('/spec', spec))
  }
}

/** How replicas may be moved between shards. Default: Manual, two at once. */
export interface TrueNowClusterSpecRebalance {
  /**
   * Manual: a Rebalance waits for the annotation truenow.io/approve. Auto: it is approved as soon as it proposes.
   * @default "Manual"
   */
  readonly mode?: 'Manual' | 'Auto'
  /**
   * Slots that may be copied or change over at once.
   * @default 2
   */
  readonly concurrentMoves?: number
  /**
   * A shard that is silent for so long is lost for good, and its replicas are made anew on others; 0s: never.
   * @default "10m"
   */
  readonly replaceAfter?: string
  /**
   * A slot that takes so many percent of what one slot may, a core or half of its worker’s memory, is hot: proposals move it, or its Table says why not.
   * @default 70
   */
  readonly hotSlotPercent?: number
}

/** Certificates between roles, which the operator issues, renews and keeps in Secrets; the users’ ports stay plain. */
export interface TrueNowClusterSpecTls {
  /**
   * Require: calls between roles need a certificate of the cluster. Prefer: they have one, and plain text is taken too. Disable: plain text. May be changed at any time.
   * @default "Disable"
   */
  readonly mode?: 'Disable' | 'Prefer' | 'Require'
}

/** Objects for Prometheus and Grafana that the operator keeps; none where it is unset. */
export interface TrueNowClusterSpecMonitoring {
  /**
   * True: a ServiceMonitor, so that the Prometheus Operator scrapes every pod of the cluster.
   * @default false
   */
  readonly serviceMonitor?: boolean
  /**
   * True: a PrometheusRule with the alerts of docs/runbooks; they need the ServiceMonitor.
   * @default false
   */
  readonly prometheusRule?: boolean
  /**
   * True: a ConfigMap for each Grafana dashboard, labelled grafana_dashboard: "1".
   * @default false
   */
  readonly dashboards?: boolean
  /** Labels for all of these, such as release: prometheus, where a Prometheus or Grafana selects by them. */
  readonly labels?: Readonly<Record<string, string>>
  /**
   * Seconds that complete answers may be behind before TrueNowTableStale; above each table’s idleTimeout.
   * @default 60
   */
  readonly freshnessSeconds?: number
  /**
   * How long alerts wait before they fire, in percent of their own time; less for a trial.
   * @default 100
   */
  readonly alertDelayPercent?: number
}

/** Size of the control-plane Deployment. */
export interface TrueNowClusterSpecControlPlane {
  /**
   * Pods of the control-plane; two or more survive the loss of one without a gap.
   * @default 1
   */
  readonly replicas?: number
  /** Requests and limits of the control-plane's container, as in any pod. */
  readonly resources?: Readonly<Record<string, unknown>>
}

/** Size of the watermark Deployment. */
export interface TrueNowClusterSpecWatermark {
  /**
   * Pods of the watermark; two or more survive the loss of one without a gap.
   * @default 1
   */
  readonly replicas?: number
  /** Requests and limits of the watermark's container, as in any pod. */
  readonly resources?: Readonly<Record<string, unknown>>
}

/** A metric of ours to scale by, which your metrics adapter serves. */
export interface TrueNowClusterSpecQueryAutoscalingPodMetric {
  /** A metric of the pods, as the custom metrics API of your cluster names it. */
  readonly name: string
  /** Its average over the pods to aim at, such as 50k. */
  readonly averageValue: string
}

/** A HorizontalPodAutoscaler for the role; none where it is unset. */
export interface TrueNowClusterSpecQueryAutoscaling {
  /** Pods at most; replicas is the floor. */
  readonly maxReplicas: number
  /** CPU to aim at, in percent of what the container requests. Default: 70, or none where podMetric is set. */
  readonly cpuPercent?: number
  /** A metric of ours to scale by, which your metrics adapter serves. */
  readonly podMetric?: TrueNowClusterSpecQueryAutoscalingPodMetric
}

/** Size of the query Deployment. */
export interface TrueNowClusterSpecQuery {
  /**
   * Pods of the query; two or more survive the loss of one without a gap.
   * @default 2
   */
  readonly replicas?: number
  /** Requests and limits of the query's container, as in any pod. */
  readonly resources?: Readonly<Record<string, unknown>>
  /** A HorizontalPodAutoscaler for the role; none where it is unset. */
  readonly autoscaling?: TrueNowClusterSpecQueryAutoscaling
  /**
   * Seconds that a result stays in Redis.
   * @default 60
   */
  readonly cacheTtlSeconds?: number
}

/** A metric of ours to scale by, which your metrics adapter serves. */
export interface TrueNowClusterSpecIngesterAutoscalingPodMetric {
  /** A metric of the pods, as the custom metrics API of your cluster names it. */
  readonly name: string
  /** Its average over the pods to aim at, such as 50k. */
  readonly averageValue: string
}

/** A HorizontalPodAutoscaler for the role; none where it is unset. */
export interface TrueNowClusterSpecIngesterAutoscaling {
  /** Pods at most; replicas is the floor. */
  readonly maxReplicas: number
  /** CPU to aim at, in percent of what the container requests. Default: 70, or none where podMetric is set. */
  readonly cpuPercent?: number
  /** A metric of ours to scale by, which your metrics adapter serves. */
  readonly podMetric?: TrueNowClusterSpecIngesterAutoscalingPodMetric
}

/** Size of the ingester Deployment. */
export interface TrueNowClusterSpecIngester {
  /**
   * Pods of the ingester; two or more survive the loss of one without a gap.
   * @default 2
   */
  readonly replicas?: number
  /** Requests and limits of the ingester's container, as in any pod. */
  readonly resources?: Readonly<Record<string, unknown>>
  /** A HorizontalPodAutoscaler for the role; none where it is unset. */
  readonly autoscaling?: TrueNowClusterSpecIngesterAutoscaling
}

/** A metric of ours to scale by, which your metrics adapter serves. */
export interface TrueNowClusterSpecGatewayAutoscalingPodMetric {
  /** A metric of the pods, as the custom metrics API of your cluster names it. */
  readonly name: string
  /** Its average over the pods to aim at, such as 50k. */
  readonly averageValue: string
}

/** A HorizontalPodAutoscaler for the role; none where it is unset. */
export interface TrueNowClusterSpecGatewayAutoscaling {
  /** Pods at most; replicas is the floor. */
  readonly maxReplicas: number
  /** CPU to aim at, in percent of what the container requests. Default: 70, or none where podMetric is set. */
  readonly cpuPercent?: number
  /** A metric of ours to scale by, which your metrics adapter serves. */
  readonly podMetric?: TrueNowClusterSpecGatewayAutoscalingPodMetric
}

/** Size of the gateway Deployment. */
export interface TrueNowClusterSpecGateway {
  /**
   * Pods of the gateway; two or more survive the loss of one without a gap.
   * @default 2
   */
  readonly replicas?: number
  /** Requests and limits of the gateway's container, as in any pod. */
  readonly resources?: Readonly<Record<string, unknown>>
  /** A HorizontalPodAutoscaler for the role; none where it is unset. */
  readonly autoscaling?: TrueNowClusterSpecGatewayAutoscaling
}

/** The volume of each shard; volumes outlive pods, and the cluster unless deletionPolicy is Delete. */
export interface TrueNowClusterSpecHotTierStorage {
  /** Size of each shard’s volume: snapshots, about twice its rows. It may be raised, where the StorageClass lets volumes grow. */
  readonly size: string
  /** StorageClass of the volumes. Default: the cluster’s default class. */
  readonly storageClassName?: string
}

/** The shards that hold the rows in memory and answer. */
export interface TrueNowClusterSpecHotTier {
  /** Number of shards, one pod with one volume each. More come up empty; a Rebalance moves slots to them. Fewer: the last ones are emptied, then removed with their volumes. */
  readonly shards: number
  /**
   * Replicas of every slot, each on another shard. Changed online: added ones are copied first, the others leave while enough answer.
   * @default 2
   */
  readonly replicationFactor?: number
  /**
   * Memory limit of a shard, at least 512Mi; half of it is for its process, and of that what the runtime leaves for rows.
   * @default "1Gi"
   */
  readonly memoryPerShard?: string
  /**
   * Worker threads of a shard. They share its slots and its memory equally; each keeps one core busy under load.
   * @default 1
   */
  readonly workers?: number
  /** Shards that shall hold no slot: theirs move to the others, where these have room, and none comes back until the ordinal is taken out. kubectl truenow drain and uncordon write it. */
  readonly drain?: readonly number[]
  /** The volume of each shard; volumes outlive pods, and the cluster unless deletionPolicy is Delete. */
  readonly storage: TrueNowClusterSpecHotTierStorage
  /** Requests and limits of a shard’s container, instead of those that memoryPerShard gives. */
  readonly resources?: Readonly<Record<string, unknown>>
}

/** The authority that issued the certificate of Redis. With it the connection is over TLS whatever the URL says. Default: as the URL says; rediss:// with public authorities. */
export interface TrueNowClusterSpecRedisCaSecretRef {
  /** Name of the Secret, in the cluster's namespace, that holds the authority of Redis. */
  readonly name: string
  /**
   * Key inside that Secret; its value is its certificate in PEM.
   * @default "ca.crt"
   */
  readonly key?: string
}

/** Where the URL of Redis is kept; it is mounted as a file, never put into the environment. */
export interface TrueNowClusterSpecRedisUrlSecretRef {
  /** Name of the Secret, in the cluster's namespace, that holds the URL of Redis. */
  readonly name: string
  /**
   * Key inside that Secret; its value is the URL.
   * @default "url"
   */
  readonly key?: string
}

/** The Redis that caches query results. Without it every query is computed. */
export interface TrueNowClusterSpecRedis {
  /** Where the URL of Redis is kept; it is mounted as a file, never put into the environment. */
  readonly urlSecretRef: TrueNowClusterSpecRedisUrlSecretRef
  /**
   * Port of Redis in that URL; the network policies let pods reach this one only.
   * @default 6379
   */
  readonly port?: number
  /** The authority that issued the certificate of Redis. With it the connection is over TLS whatever the URL says. Default: as the URL says; rediss:// with public authorities. */
  readonly caSecretRef?: TrueNowClusterSpecRedisCaSecretRef
}

/** The authority that issued the certificate of PostgreSQL. With it the connection is sslmode=verify-full whatever the URL says. Default: as the URL says. */
export interface TrueNowClusterSpecPostgresCaSecretRef {
  /** Name of the Secret, in the cluster's namespace, that holds the authority of PostgreSQL. */
  readonly name: string
  /**
   * Key inside that Secret; its value is its certificate in PEM.
   * @default "ca.crt"
   */
  readonly key?: string
}

/** Where the URL of PostgreSQL is kept; it is mounted as a file, never put into the environment. */
export interface TrueNowClusterSpecPostgresUrlSecretRef {
  /** Name of the Secret, in the cluster's namespace, that holds the URL of PostgreSQL. */
  readonly name: string
  /**
   * Key inside that Secret; its value is the URL.
   * @default "url"
   */
  readonly key?: string
}

/** The PostgreSQL that holds the catalog, in a schema of this cluster’s own. */
export interface TrueNowClusterSpecPostgres {
  /** Where the URL of PostgreSQL is kept; it is mounted as a file, never put into the environment. */
  readonly urlSecretRef: TrueNowClusterSpecPostgresUrlSecretRef
  /**
   * Port of PostgreSQL in that URL; the network policies let pods reach this one only.
   * @default 5432
   */
  readonly port?: number
  /** The authority that issued the certificate of PostgreSQL. With it the connection is sslmode=verify-full whatever the URL says. Default: as the URL says. */
  readonly caSecretRef?: TrueNowClusterSpecPostgresCaSecretRef
}

/** Where they are kept; they are mounted as files, never put into the environment. */
export interface TrueNowClusterSpecKafkaSaslSecretRef {
  /** Name of the Secret, in the cluster’s namespace, that holds user name and password. */
  readonly name: string
  /**
   * Key inside that Secret; its value is the user name.
   * @default "username"
   */
  readonly usernameKey?: string
  /**
   * Key inside that Secret; its value is the password.
   * @default "password"
   */
  readonly passwordKey?: string
}

/** Who the pods are to Kafka. Default: nobody. A Secret that changes needs no restart. */
export interface TrueNowClusterSpecKafkaSasl {
  /**
   * How user name and password are shown; PLAIN over TLS only.
   * @default "SCRAM-SHA-512"
   */
  readonly mechanism?: 'SCRAM-SHA-512' | 'SCRAM-SHA-256' | 'PLAIN'
  /** Where they are kept; they are mounted as files, never put into the environment. */
  readonly secretRef: TrueNowClusterSpecKafkaSaslSecretRef
}

/** Certificate and key that are shown to brokers which ask for them. Default: none. */
export interface TrueNowClusterSpecKafkaTlsCertificateSecretRef {
  /** Name of a Secret of type kubernetes.io/tls in the cluster’s namespace. */
  readonly name: string
}

/** The authority that issued the certificate of the brokers. Default: the public authorities that Node brings. */
export interface TrueNowClusterSpecKafkaTlsCaSecretRef {
  /** Name of the Secret, in the cluster's namespace, that holds the authority of the brokers. */
  readonly name: string
  /**
   * Key inside that Secret; its value is its certificate in PEM.
   * @default "ca.crt"
   */
  readonly key?: string
}

/** TLS to the brokers. Default: plain text. Secrets that change need no restart. */
export interface TrueNowClusterSpecKafkaTls {
  /** True: brokers are spoken to over TLS, and must prove their names. */
  readonly enabled: boolean
  /** The authority that issued the certificate of the brokers. Default: the public authorities that Node brings. */
  readonly caSecretRef?: TrueNowClusterSpecKafkaTlsCaSecretRef
  /** Certificate and key that are shown to brokers which ask for them. Default: none. */
  readonly certificateSecretRef?: TrueNowClusterSpecKafkaTlsCertificateSecretRef
}

/** How the topics of tables are created; existing ones are checked against it. */
export interface TrueNowClusterSpecKafkaTopics {
  /**
   * Replicas of each topic of ours in Kafka.
   * @default 3
   */
  readonly replicationFactor?: number
  /**
   * Replicas that must have a record before it is acknowledged.
   * @default 2
   */
  readonly minInsyncReplicas?: number
}

/** The Kafka that holds every event; it is yours and is never created or scaled. */
export interface TrueNowClusterSpecKafka {
  /** Brokers to start from, such as kafka:9092; the others are found through them, on the ports listed here. */
  readonly brokers: readonly string[]
  /**
   * How the topics of tables are created; existing ones are checked against it.
   * @default {"replicationFactor":3,"minInsyncReplicas":2}
   */
  readonly topics?: TrueNowClusterSpecKafkaTopics
  /** TLS to the brokers. Default: plain text. Secrets that change need no restart. */
  readonly tls?: TrueNowClusterSpecKafkaTls
  /** Who the pods are to Kafka. Default: nobody. A Secret that changes needs no restart. */
  readonly sasl?: TrueNowClusterSpecKafkaSasl
}

/** One Secret in the namespace of the cluster. */
export interface TrueNowClusterSpecImagePullSecrets {
  /** Name of a Secret of type dockerconfigjson. */
  readonly name: string
}

/** What this cluster shall be: its dependencies, its shards and the size of each role. */
export interface TrueNowClusterSpec {
  /** Image of every role. Unset: what the shards run, at creation the operator’s own. */
  readonly image?: string
  /** When the kubelet pulls the image. Default: IfNotPresent. */
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  /** Secrets with which the kubelet pulls the image. */
  readonly imagePullSecrets?: readonly TrueNowClusterSpecImagePullSecrets[]
  /**
   * True: the operator changes nothing, but goes on telling status.
   * @default false
   */
  readonly paused?: boolean
  /** When pods take over what a new operator would make otherwise. OnSpecChange: with the next change of the spec that concerns them. Always: at once. Default: OnSpecChange. */
  readonly upgradePolicy?: 'OnSpecChange' | 'Always'
  /**
   * What becomes of topics, catalog and volumes when this object is deleted: Retain keeps, Delete removes them.
   * @default "Retain"
   */
  readonly deletionPolicy?: 'Retain' | 'Delete'
  /** The Kafka that holds every event; it is yours and is never created or scaled. */
  readonly kafka: TrueNowClusterSpecKafka
  /** The PostgreSQL that holds the catalog, in a schema of this cluster’s own. */
  readonly postgres: TrueNowClusterSpecPostgres
  /** The Redis that caches query results. Without it every query is computed. */
  readonly redis?: TrueNowClusterSpecRedis
  /** The shards that hold the rows in memory and answer. */
  readonly hotTier: TrueNowClusterSpecHotTier
  /**
   * Size of the gateway Deployment.
   * @default {}
   */
  readonly gateway?: TrueNowClusterSpecGateway
  /**
   * Size of the ingester Deployment.
   * @default {}
   */
  readonly ingester?: TrueNowClusterSpecIngester
  /**
   * Size of the query Deployment.
   * @default {}
   */
  readonly query?: TrueNowClusterSpecQuery
  /**
   * Size of the watermark Deployment.
   * @default {}
   */
  readonly watermark?: TrueNowClusterSpecWatermark
  /**
   * Size of the control-plane Deployment.
   * @default {}
   */
  readonly controlPlane?: TrueNowClusterSpecControlPlane
  /** Objects for Prometheus and Grafana that the operator keeps; none where it is unset. */
  readonly monitoring?: TrueNowClusterSpecMonitoring
  /** Certificates between roles, which the operator issues, renews and keeps in Secrets; the users’ ports stay plain. */
  readonly tls?: TrueNowClusterSpecTls
  /** How replicas may be moved between shards. Default: Manual, two at once. */
  readonly rebalance?: TrueNowClusterSpecRebalance
  /** Added to every pod: nodeSelector, tolerations, affinity, priorityClassName. */
  readonly podTemplate?: Readonly<Record<string, unknown>>
}

/** A TrueNow cluster: shards, gateways, ingesters and query pods over your Kafka, PostgreSQL and Redis. */
export class TrueNowCluster extends ApiObject {
  constructor(scope: Construct, id: string, props: Readonly<{ metadata?: ApiObjectMetadata; spec: TrueNowClusterSpec }>) {
    const { metadata = {}, spec } = props
    super(scope, id, { apiVersion: 'truenow.io/v1alpha1', kind: 'TrueNowCluster', metadata })
    // As a patch: cdk8s sorts what it is given, and people read a spec in the order in which it was written.
    this.addJsonPatch(JsonPatch.add('/spec', spec))
  }
}
