import { Construct } from 'constructs'
import {
  Rebalance,
  Table,
  type TableSpec,
  type TableSpecColumns,
  TrueNowCluster,
  type TrueNowClusterSpec,
  type TrueNowClusterSpecHotTier,
  type TrueNowClusterSpecKafka,
} from './gen/kinds.ts'

type Column = TableSpecColumns['type'] | Readonly<{ type: TableSpecColumns['type']; nullable: boolean }>

export type AnalyticsClusterProps = Readonly<{
  /** Kubernetes namespace of the cluster and its tables. @default - the chart's */
  namespace?: string
  /** Brokers of your Kafka to start from, as host:port. */
  brokers: readonly string[]
  /** Secret of the namespace whose key `url` holds PostgreSQL's URL. */
  postgresSecret: string
  /** The same for Redis. @default - no cache */
  redisSecret?: string
  /** @default 2 */
  shards?: number
  /** Size of each shard's volume. @default 2Gi */
  storage?: string
  /** Whatever else the kind knows; it wins over the defaults, section by section, and field by field in kafka and hotTier. */
  spec?: Readonly<Partial<Omit<TrueNowClusterSpec, 'hotTier' | 'kafka'>>> &
    Readonly<{ hotTier?: Partial<TrueNowClusterSpecHotTier>; kafka?: Partial<TrueNowClusterSpecKafka> }>
}>

export type AnalyticsTableProps<Columns extends Readonly<Record<string, Column>>> = Readonly<{
  /** By name. The id and the time are there without being named. */
  columns: Columns
  /** Columns whose values choose the slot. @default - the id */
  partitionBy?: ReadonlyArray<Extract<keyof Columns, string>>
}> &
  Readonly<Partial<Omit<TableSpec, 'clusterRef' | 'columns' | 'partitionBy'>>>

/** Two of everything where the spec says nothing else: one pod lost is no gap. */
const REPLICAS = 2

/**
 * A TrueNowCluster named by its construct id, every slot on two shards, and the Tables that belong to it. For a field that
 * this does not know, see `spec`, or use the constructs of gen/kinds.ts themselves.
 */
export class AnalyticsCluster extends Construct {
  readonly name: string
  readonly cluster: TrueNowCluster
  readonly #metadata: Readonly<{ namespace?: string }>

  constructor(scope: Construct, id: string, props: AnalyticsClusterProps) {
    super(scope, id)
    const {
      namespace,
      brokers,
      postgresSecret,
      redisSecret,
      shards = REPLICAS,
      storage = '2Gi',
      spec = {},
    } = props
    this.name = id
    this.#metadata = namespace === undefined ? {} : { namespace }
    const { hotTier, kafka, ...sections } = spec
    this.cluster = new TrueNowCluster(this, 'cluster', {
      metadata: { name: id, ...this.#metadata },
      spec: {
        kafka: { brokers, ...kafka },
        postgres: { urlSecretRef: secretRef(postgresSecret) },
        ...(redisSecret === undefined ? {} : { redis: { urlSecretRef: secretRef(redisSecret) } }),
        hotTier: {
          shards,
          replicationFactor: Math.min(REPLICAS, shards),
          memoryPerShard: '1Gi',
          storage: { size: storage },
          ...hotTier,
        },
        gateway: { replicas: REPLICAS },
        ingester: { replicas: REPLICAS },
        query: { replicas: REPLICAS },
        ...sections,
      },
    })
  }

  /** A Table of this cluster; `object` names the Kubernetes object, and the table where `name` does not. */
  addTable<const Columns extends Readonly<Record<string, Column>>>(
    object: string,
    { columns, ...spec }: AnalyticsTableProps<Columns>,
  ): Table {
    return new Table(this, `table-${object}`, {
      metadata: { name: object, ...this.#metadata },
      spec: {
        clusterRef: { name: this.name },
        columns: Object.entries(columns).map(([name, column]) =>
          typeof column === 'string' ? { name, type: column } : { name, ...column },
        ),
        ...spec,
      },
    })
  }

  /** A Rebalance of this cluster: a proposal, until somebody approves it. */
  addRebalance(object: string): Rebalance {
    return new Rebalance(this, `rebalance-${object}`, {
      metadata: { name: object, ...this.#metadata },
      spec: { clusterRef: { name: this.name } },
    })
  }
}

const secretRef = (name: string) => ({ name, key: 'url' })
