import type { AggregateName } from '@truenow/contracts/query-statement.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'

/**
 * How an aggregate is put to DuckDB. `expressions` gives its SQL: the value; where it is inexact also Σ|x|, by which
 * rounding is judged, the value scaled down by 2^-64, and the sum so scaled, which tells whether that overflowed.
 */
export type AggregateSql = Readonly<{
  takes: readonly (ColumnType | 'id')[]
  isExact: (type: ColumnType) => boolean
  expressions: (column: string, type: ColumnType | 'id') => readonly string[]
}>

const ALL = ['string', 'int64', 'float64', 'bool', 'timestamp'] as const
const scaledSum = (column: string) => `sum(${column} * '${2 ** -64}'::DOUBLE)`
const INT64 = 'BETWEEN -9223372036854775808::HUGEINT AND 9223372036854775807::HUGEINT'
/** fsum is DuckDB's compensated sum. */
const floatSum = (column: string) => [
  `fsum(${column})`,
  `fsum(abs(${column}))`,
  scaledSum(column),
  scaledSum(column),
]
const floatMean = (column: string) => [
  ...floatSum(column)
    .slice(0, 3)
    .map((sum) => `${sum} / count(${column})`),
  scaledSum(column),
]

/** Approximate or bound to the order of rows: held against the exact truth by the tests of their kernels. */
type HeldElsewhere =
  | 'var_pop'
  | 'var_samp'
  | 'stddev_pop'
  | 'stddev_samp'
  | 'first'
  | 'last'
  | 'approx_count_distinct'
  | 'quantile'
  | 'p50'
  | 'p90'
  | 'p95'
  | 'p99'
  | 'p999'
  | 'top_k'
export type OracleAggregate = Exclude<AggregateName, HeldElsewhere>

/** A new aggregate joins by its line here: the compiler asks for it. */
export const AGGREGATE_SQL: Readonly<Record<OracleAggregate, AggregateSql>> = {
  count: { takes: [...ALL, 'id'], isExact: () => true, expressions: (column) => [`count(${column})`] },
  sum: {
    takes: ['int64', 'float64'],
    isExact: (type) => type === 'int64',
    // kernels/src/plan/finalize-partial.ts: a sum beyond int64 is null; DuckDB goes on as HUGEINT.
    expressions: (column, type) =>
      type === 'int64' ? [`CASE WHEN sum(${column}) ${INT64} THEN sum(${column}) END`] : floatSum(column),
  },
  min: { takes: ALL, isExact: () => true, expressions: (column) => [`min(${column})`] },
  max: { takes: ALL, isExact: () => true, expressions: (column) => [`max(${column})`] },
  avg: {
    takes: ['int64', 'float64'],
    isExact: () => false,
    // An integer sum is exact in both, so its mean has no size of its own.
    expressions: (column, type) =>
      type === 'int64' ? [`avg(${column})`, '0::DOUBLE', '0::DOUBLE', '0::DOUBLE'] : floatMean(column),
  },
  count_distinct: {
    takes: ALL,
    isExact: () => true,
    // -0 and 0 are one value.
    expressions: (column, type) => [
      `count(DISTINCT ${type === 'float64' ? `CASE WHEN ${column} = 0 THEN 0 ELSE ${column} END` : column})`,
    ],
  },
}
export const ORACLE_AGGREGATES = Object.keys(AGGREGATE_SQL) as OracleAggregate[]
