import {
  ROLLUP_DIMENSIONS_MAX,
  ROLLUP_METRICS_MAX,
  ROLLUP_STEPS_US,
  ROLLUPS_MAX,
} from '@truenow/contracts/table-definition.ts'
import { type Static, Type } from 'typebox'
import { type Condition, ConditionSchema } from '../condition.ts'
import type { ObjectMeta } from '../object-meta.ts'

const NAME_PATTERN = '^[a-z][a-z0-9_]{0,62}$'
/** Said beside the pattern too: the API server reckons what a rule may cost from lengths alone. */
const NAME_LENGTH_MAX = 63
const DURATION_PATTERN = '^[1-9][0-9]*(ms|s|m|h|d)$'
const LATENESS_PATTERN = '^(0|[1-9][0-9]*)(ms|s|m|h|d)$'
/** A word that CEL keeps for itself is a field only between underscores. */
const CEL_NAMES: Readonly<Record<string, string>> = { namespace: '__namespace__' }
const unchanged = (field: string, why: string) => {
  const name = CEL_NAMES[field] ?? field
  return {
    rule: `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || self.${name} == oldSelf.${name})`,
    message: `${field} cannot change: ${why}; create another table`,
  }
}

const columnName = (description: string) =>
  Type.String({ pattern: NAME_PATTERN, maxLength: NAME_LENGTH_MAX, description })

const Rollup = Type.Object(
  {
    dimensions: Type.Array(columnName('Name of a string, bool or int64 column of this table.'), {
      maxItems: ROLLUP_DIMENSIONS_MAX,
      description:
        'Columns that queries filter and group by. Every prefix of the list is folded too, so name the one most used first.',
    }),
    metrics: Type.Array(columnName('Name of an int64 or float64 column of this table.'), {
      maxItems: ROLLUP_METRICS_MAX,
      default: [],
      description: 'Columns whose count, sum, average, least and greatest value are asked for.',
    }),
    granularity: Type.String({
      enum: Object.keys(ROLLUP_STEPS_US),
      default: '1s',
      description: 'The finest step of event time that is folded; coarser ones are folded from it.',
    }),
  },
  { description: 'Rows folded ahead by time and dimensions, so that queries read a few cells instead.' },
)

/** crds/tables.yaml is generated from this by `make generate`. */
export const TableSpec = Type.Object(
  {
    clusterRef: Type.Object(
      {
        name: Type.String({
          minLength: 1,
          maxLength: NAME_LENGTH_MAX,
          description: 'Name of a TrueNowCluster in the same Kubernetes namespace.',
        }),
      },
      { description: 'The cluster that holds this table.' },
    ),
    namespace: Type.Optional(
      Type.String({
        pattern: NAME_PATTERN,
        maxLength: NAME_LENGTH_MAX,
        description: 'Logical namespace (tenant). Default: the Kubernetes namespace with - as _.',
      }),
    ),
    name: Type.Optional(
      Type.String({
        pattern: NAME_PATTERN,
        maxLength: NAME_LENGTH_MAX,
        description: 'Name in queries and paths. Default: the object’s name with - as _.',
      }),
    ),
    columns: Type.Array(
      Type.Object(
        {
          name: Type.String({
            pattern: NAME_PATTERN,
            maxLength: NAME_LENGTH_MAX,
            description: 'Name of the column: lower case, digits, underscores.',
          }),
          type: Type.String({
            enum: ['string', 'int64', 'float64', 'bool', 'timestamp'],
            description: 'Type of its values; a timestamp is an integer, µs since 1970.',
          }),
          nullable: Type.Boolean({
            default: false,
            description: 'Whether an event may leave it out or send null.',
          }),
        },
        { description: 'One column, beside the id and the time that every table has.' },
      ),
      {
        minItems: 1,
        maxItems: 500,
        description: 'Columns of an event. A nullable one may be added later; none can be removed.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
    ),
    timeColumn: Type.String({
      pattern: NAME_PATTERN,
      maxLength: NAME_LENGTH_MAX,
      default: 'event_time_us',
      description: 'Column of the event’s own time, int64 µs since 1970.',
    }),
    idColumn: Type.String({
      pattern: NAME_PATTERN,
      maxLength: NAME_LENGTH_MAX,
      default: 'event_id',
      description: 'Column of the id by which duplicates are removed.',
    }),
    partitionBy: Type.Optional(
      Type.Array(
        Type.String({
          pattern: NAME_PATTERN,
          maxLength: NAME_LENGTH_MAX,
          description: 'Name of a column of this table.',
        }),
        {
          maxItems: 16,
          description:
            'Columns whose values choose the slot. Default: the id. A resend must carry the same values.',
        },
      ),
    ),
    slots: Type.Integer({
      minimum: 1,
      maximum: 1_024,
      default: 8,
      description: 'Partitions of the table’s topic; each is held by whole shards.',
    }),
    retention: Type.String({
      pattern: DURATION_PATTERN,
      default: '1h',
      description: 'Event time that is held, such as 1h; older rows leave.',
    }),
    allowedLateness: Type.String({
      pattern: LATENESS_PATTERN,
      default: '10s',
      description: 'How late an event may come before the watermark passes it.',
    }),
    dedupWindow: Type.String({
      pattern: LATENESS_PATTERN,
      default: '10m',
      description: 'How long an id is remembered; resend within it.',
    }),
    maxFutureSkew: Type.String({
      pattern: LATENESS_PATTERN,
      default: '1m',
      description: 'How far ahead of the gateway’s clock an event may be.',
    }),
    idleTimeout: Type.String({
      pattern: LATENESS_PATTERN,
      default: '1s',
      description: 'Silence after which an idle slot stops holding the watermark back.',
    }),
    onMemoryFull: Type.String({
      enum: ['Evict', 'Stall'],
      default: 'Evict',
      description: 'When a shard’s memory is full: Evict drops the oldest rows, Stall stops reading.',
    }),
    rollups: Type.Optional(
      Type.Array(Rollup, {
        maxItems: ROLLUPS_MAX,
        description:
          'What shards fold ahead. It may change at any time: answers stay the same, only faster or slower.',
      }),
    ),
    source: Type.Object(
      {
        gateway: Type.Object(
          {},
          { default: {}, description: 'Events come through the gateway, over HTTP or gRPC.' },
        ),
      },
      { default: { gateway: {} }, description: 'Where events come from; in this version the gateway.' },
    ),
    deletionPolicy: Type.String({
      enum: ['Retain', 'Delete'],
      default: 'Retain',
      description:
        'What becomes of the topic when this object is deleted: Retain keeps it for adoption, Delete removes it.',
    }),
  },
  {
    description:
      'What this table shall be: its columns, how it is cut into slots, and how long rows are held.',
    'x-kubernetes-validations': [
      unchanged('slots', 'a slot is a partition of the topic and keys would land elsewhere'),
      unchanged('timeColumn', 'rows are placed by it'),
      unchanged('idColumn', 'duplicates are found by it'),
      unchanged('partitionBy', 'keys would land in other slots'),
      unchanged('source', 'the log is the truth'),
      unchanged('clusterRef', 'its data lies in that cluster'),
      unchanged('namespace', 'the data is known by it'),
      unchanged('name', 'the data is known by it'),
      {
        rule: '!has(self.partitionBy) || self.partitionBy.all(key, key == self.idColumn || self.columns.exists(column, column.name == key))',
        message: 'partitionBy names a column that the table does not have; name columns of this table',
      },
      {
        rule: 'self.columns.all(column, column.name != self.idColumn && column.name != self.timeColumn)',
        message: 'columns repeats the id or time column, which every table has; leave it out',
      },
      {
        rule: "!has(self.rollups) || self.rollups.all(rollup, rollup.dimensions.all(name, self.columns.exists(column, column.name == name && column.type != 'float64' && column.type != 'timestamp')))",
        message:
          'rollups has a dimension that is no string, bool or int64 column of the table; name one that is',
      },
      {
        rule: "!has(self.rollups) || self.rollups.all(rollup, rollup.metrics.all(name, self.columns.exists(column, column.name == name && (column.type == 'int64' || column.type == 'float64'))))",
        message: 'rollups has a metric that is no int64 or float64 column of the table; name one that is',
      },
      {
        rule: 'self.idColumn != self.timeColumn',
        message: 'idColumn and timeColumn name the same column; give them different names',
      },
    ],
  },
)
export type TableSpec = Readonly<Static<typeof TableSpec>>

export const TableStatus = Type.Object(
  {
    observedGeneration: Type.Integer({ description: 'Generation of the spec that this status speaks of.' }),
    slotsReady: Type.String({ description: 'Slots that can be read at full replication, such as 8/8.' }),
    topic: Type.String({ description: 'Kafka topic that holds the table’s log.' }),
    version: Type.Integer({ description: 'Version of the table that is in force for new events.' }),
    freshness: Type.String({
      description: 'How far answers are behind, by class: <1s, <10s, <1m, Stale or Unknown.',
    }),
    conditions: Type.Array(ConditionSchema, {
      description: 'SpecValid, Synced, Ready: is it legal, is it in the catalog, can every slot be read.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  },
  { description: 'What the operator last saw; written by it alone.' },
)
export type TableStatus = Readonly<Partial<Omit<Static<typeof TableStatus>, 'conditions'>>> & {
  readonly conditions?: readonly Condition[]
}
export type Table = Readonly<{
  apiVersion: string
  kind: 'Table'
  metadata: ObjectMeta
  spec: TableSpec
  status?: TableStatus
}>
