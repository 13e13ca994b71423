import { type Static, Type } from 'typebox'

/** Names that people give to namespaces, tables and columns. */
export const NAME_PATTERN = '^[a-z][a-z0-9_]{0,62}$'
export const COLUMNS_MAX = 1_000
export const SLOTS_MAX = 1_024
export const ROLLUPS_MAX = 8
export const ROLLUP_DIMENSIONS_MAX = 4
export const ROLLUP_METRICS_MAX = 16
/** Time steps of rollups, by the name that people give them, µs: each is a multiple of the one before. */
export const ROLLUP_STEPS_US = {
  '1s': 1_000_000,
  '10s': 10_000_000,
  '1m': 60_000_000,
  '10m': 600_000_000,
  '1h': 3_600_000_000,
} as const

export const ColumnType = Type.Union([
  Type.Literal('string'),
  Type.Literal('int64'),
  Type.Literal('float64'),
  Type.Literal('bool'),
  Type.Literal('timestamp'),
])
export type ColumnType = Static<typeof ColumnType>

export const ColumnDefinition = Type.Object(
  {
    name: Type.String({ pattern: NAME_PATTERN }),
    type: ColumnType,
    nullable: Type.Boolean(),
  },
  { additionalProperties: false },
)
export type ColumnDefinition = Static<typeof ColumnDefinition>

/**
 * Rows that shards fold ahead: for each step of event time and each combination of the dimensions' values, how many rows
 * there are, and of each metric how many values, their sum, least and greatest. Kept for every prefix of the dimensions
 * too, so their order matters.
 */
export const RollupDefinition = Type.Object(
  {
    dimensions: Type.Array(Type.String({ pattern: NAME_PATTERN }), { maxItems: ROLLUP_DIMENSIONS_MAX }),
    metrics: Type.Array(Type.String({ pattern: NAME_PATTERN }), { maxItems: ROLLUP_METRICS_MAX }),
    granularityUs: Type.Unsafe<number>(
      Type.Union(Object.values(ROLLUP_STEPS_US).map((us) => Type.Literal(us))),
    ),
  },
  { additionalProperties: false },
)
export type RollupDefinition = Readonly<Static<typeof RollupDefinition>>

/**
 * One numbered version of a table: all that decides what a row becomes. The control plane numbers versions from 1;
 * blocks name theirs. `columns` are the user's, without the id and time columns, which every table has: `event_id`
 * (string, kept as 16 bytes) and `event_time_us` (timestamp). Durations are in microseconds.
 */
export const TableDefinition = Type.Object(
  {
    namespace: Type.String({ pattern: NAME_PATTERN }),
    name: Type.String({ pattern: NAME_PATTERN }),
    version: Type.Integer({ minimum: 1 }),
    columns: Type.Array(ColumnDefinition, { maxItems: COLUMNS_MAX }),
    timeColumn: Type.String({ pattern: NAME_PATTERN }),
    idColumn: Type.String({ pattern: NAME_PATTERN }),
    /** Columns of the partition key, in order; empty = the id. */
    partitionBy: Type.Array(Type.String({ pattern: NAME_PATTERN }), { maxItems: 16 }),
    slots: Type.Integer({ minimum: 1, maximum: SLOTS_MAX }),
    retentionUs: Type.Integer({ minimum: 1_000_000 }),
    allowedLatenessUs: Type.Integer({ minimum: 0 }),
    dedupWindowUs: Type.Integer({ minimum: 0 }),
    maxFutureSkewUs: Type.Integer({ minimum: 0 }),
    idleTimeoutUs: Type.Integer({ minimum: 0 }),
    onMemoryFull: Type.Union([Type.Literal('Evict'), Type.Literal('Stall')]),
    /** Absent: none. They change how fast answers are, never what they say. */
    rollups: Type.Optional(Type.Array(RollupDefinition, { maxItems: ROLLUPS_MAX })),
  },
  { additionalProperties: false },
)
export type TableDefinition = Readonly<Static<typeof TableDefinition>>

/** Where id and time stand in the columns of a block and of a row answer; the table's own columns follow as declared. */
export const ID_COLUMN_INDEX = 0
export const TIME_COLUMN_INDEX = 1
