import { type Static, Type } from 'typebox'
import { NAME_PATTERN } from './table-definition.ts'

/** Limits of one statement; each refusal names its limit. */
export const QUERY_FILTER_DEPTH_MAX = 32
export const QUERY_FILTER_VALUES_MAX = 10_000
export const QUERY_GROUPS_MAX = 1_000_000
/** Values that the exact `count_distinct`s of a statement hold, each once a group. */
export const QUERY_DISTINCT_VALUES_MAX = 1_000_000
/** Memory of sketches and distinct values: below what one message between shard and query role may carry (64 MiB). */
export const QUERY_SKETCH_BYTES_MAX = 48 << 20
/** A quarter of the candidates that a top-k state keeps. */
export const QUERY_TOP_K_MAX = 256
export const QUERY_TOP_K_DEFAULT = 10
export const QUERY_ROWS_MAX = 10_000
export const QUERY_ROWS_DEFAULT = 100

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])
const Condition = Type.Object(
  {
    eq: Type.Optional(Scalar),
    ne: Type.Optional(Scalar),
    gt: Type.Optional(Scalar),
    gte: Type.Optional(Scalar),
    lt: Type.Optional(Scalar),
    lte: Type.Optional(Scalar),
    in: Type.Optional(Type.Array(Scalar)),
    like: Type.Optional(Type.String()),
  },
  { additionalProperties: false, minProperties: 1 },
)
/** Aggregates that a statement may name; what each takes and gives: kernels/src/query/plan-aggregate.ts. */
export const AGGREGATE_NAMES = [
  'count',
  'sum',
  'min',
  'max',
  'avg',
  'var_pop',
  'var_samp',
  'stddev_pop',
  'stddev_samp',
  'first',
  'last',
  'count_distinct',
  'approx_count_distinct',
  'quantile',
  'p50',
  'p90',
  'p95',
  'p99',
  'p999',
  'top_k',
] as const
export type AggregateName = (typeof AGGREGATE_NAMES)[number]
const AggregateName = Type.Unsafe<AggregateName>(
  Type.Union(AGGREGATE_NAMES.map((name) => Type.Literal(name))),
)

/** Which quantile `quantile` is to give. */
const Quantile = Type.Number({ minimum: 0, maximum: 1 })
/** How many values `top_k` is to give. */
const TopCount = Type.Integer({ minimum: 1 })

/**
 * The JSON form of a query (POST /v1/query). `filters` is either column → value, list or condition (all must hold), or
 * a tree of {and: […]}, {or: […]}, {not: …}; its exact shape is checked by the query role's parser, which can name the
 * place. Times are µs since 1970, the range is half-open: [start_time, end_time).
 */
export const QueryStatement = Type.Object(
  {
    start_time: Type.Integer({ minimum: 0 }),
    end_time: Type.Integer({ minimum: 0 }),
    namespace: Type.String({ pattern: NAME_PATTERN }),
    table: Type.String({ pattern: NAME_PATTERN }),
    filters: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    columns: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    group_by: Type.Optional(
      Type.Array(
        Type.Union([
          Type.String(),
          Type.Object(
            { time_bucket: Type.String({ pattern: '^[1-9][0-9]*(us|ms|s|m|h|d)$' }) },
            { additionalProperties: false },
          ),
        ]),
        { maxItems: 16 },
      ),
    ),
    aggregate: Type.Optional(AggregateName),
    metric: Type.Optional(Type.String()),
    q: Type.Optional(Quantile),
    k: Type.Optional(TopCount),
    aggregates: Type.Optional(
      Type.Array(
        Type.Object(
          {
            aggregate: AggregateName,
            metric: Type.Optional(Type.String()),
            q: Type.Optional(Quantile),
            k: Type.Optional(TopCount),
            as: Type.Optional(Type.String({ pattern: NAME_PATTERN })),
          },
          { additionalProperties: false },
        ),
        { minItems: 1, maxItems: 64 },
      ),
    ),
    order_by: Type.Optional(
      Type.Array(
        Type.Object(
          { column: Type.String(), descending: Type.Optional(Type.Boolean()) },
          { additionalProperties: false },
        ),
        { maxItems: 16 },
      ),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    /** slot → offset (as a write answered): answer only at or above it. */
    at_least: Type.Optional(Type.Record(Type.String({ pattern: '^[0-9]+$' }), Type.Integer({ minimum: 0 }))),
    require_complete: Type.Optional(Type.Boolean()),
    /** False: neither read nor write the result cache. */
    cache: Type.Optional(Type.Boolean()),
    /** False: read rows even where a rollup could answer, for comparison; the answer is the same. */
    rollups: Type.Optional(Type.Boolean()),
    timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
  },
  { additionalProperties: false },
)
export type QueryStatement = Readonly<Static<typeof QueryStatement>>
export type FilterCondition = Readonly<Static<typeof Condition>>
export const FilterCondition = Condition

/** How far an approximate column may be off; which of the figures are there depends on the method (query README). */
export type Approximation =
  | Readonly<{ method: 'hyperloglog++'; relative_standard_error: number }>
  | Readonly<{ method: 't-digest'; rank_error: number }>
  | Readonly<{ method: 'count-min'; relative_error: number; confidence: number }>

/** The answer of POST /v1/query. `rows` are objects; int64 results beyond 2^53 keep their digits in the JSON text. */
export type QueryAnswer = Readonly<{
  columns: ReadonlyArray<Readonly<{ name: string; type: string }>>
  rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** slot → what this answer has seen of it. Slots that are missing are not in it. */
  positions: Readonly<Record<string, Readonly<{ incarnation: number; offset: number }>>>
  /** Minimum over the slots read; null when none answered. */
  watermark_us: number | null
  /** Every slot read is present, its watermark >= end_time, its retained_from_us <= start_time, no data-loss gap inside. */
  complete: boolean
  /** Slots are missing from the answer: `missing_slots` says which and why. */
  partial: boolean
  missing_slots: ReadonlyArray<Readonly<{ slot: number; reason: string }>>
  /** Greatest over the slots: from here on everything is held. */
  retained_from_us: number | null
  /** Columns whose values are approximate, by name; empty: every value is exact. */
  approximate: Readonly<Record<string, Approximation>>
  /** Slots answered below what this process served before. */
  regressed: boolean
  warnings: readonly string[]
  stats: Readonly<{
    rows_scanned: number
    rows_matched: number
    /** How many of the matched rows a rollup stood for. */
    rows_from_rollups: number
    shards_asked: number
    cache: 'hit' | 'miss' | 'off'
    took_us: number
  }>
}>
