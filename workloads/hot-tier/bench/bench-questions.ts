import { AGGREGATE_NAMES, type QueryStatement } from '@truenow/contracts/query-statement.ts'
import { SPAN_US, START_US } from './event-blocks.ts'

/** One row of the benchmark: a statement, and the same for the peers. */
export type Question = Readonly<{
  row: string
  statement: Readonly<Record<string, unknown>>
  duckdb: string
  clickhouse: string
  /** How far our answer may be, relatively, from `truth`, or from the peers' answers where these are the truth. */
  bound: number
  /** Asked of DuckDB, and the exact answer: where the peers answer about, they may be off by `peerBound`, not by ours. */
  truth?: Readonly<{ duckdb: string; peerBound: number }>
}>
export type Skipped = Readonly<{ row: string; skipped: string }>

const EXACT = 1e-9
const FILTER = `region = 'region-3' AND product = 'product-77'`
const FROM_US = START_US + SPAN_US / 2
const TO_US = FROM_US + SPAN_US / 100

const both = (sql: string) => ({ duckdb: sql, clickhouse: sql, bound: EXACT })
const TOP_10 = 'SELECT user_id, count(*) AS c FROM events GROUP BY user_id ORDER BY c DESC'
const sum = { aggregate: 'sum', metric: 'revenue' }

/** The questions whose names begin with `only`. */
export const benchQuestions = (only: string): readonly (Question | Skipped)[] =>
  allQuestions().filter(({ row }) => row.startsWith(only))

/** The questions of issue "hot tier", in its order; one whose aggregate the contracts do not know (yet) says so. */
function allQuestions(): readonly (Question | Skipped)[] {
  return [
    { row: 'sum', statement: sum, ...both('SELECT sum(revenue) FROM events') },
    {
      row: 'filter_sum',
      statement: { ...sum, filters: { region: 'region-3', product: 'product-77' } },
      ...both(`SELECT sum(revenue) FROM events WHERE ${FILTER}`),
    },
    {
      row: 'group_8',
      statement: { ...sum, group_by: ['region'] },
      ...both('SELECT region, sum(revenue) FROM events GROUP BY region'),
    },
    {
      row: 'group_8x1000',
      statement: { group_by: ['region', 'product'], aggregates: [sum, { aggregate: 'count' }] },
      ...both('SELECT region, product, sum(revenue), count(*) FROM events GROUP BY region, product'),
    },
    {
      row: 'bucket_8',
      statement: { ...sum, group_by: [{ time_bucket: '1s' }, 'region'] },
      ...both(
        'SELECT event_time_us - event_time_us % 1000000 AS t, region, sum(revenue) FROM events GROUP BY t, region',
      ),
    },
    ...needing('hll_8', 'approx_count_distinct', {
      statement: { aggregate: 'approx_count_distinct', metric: 'user_id', group_by: ['region'] },
      // Of an ENUM DuckDB hashes the code, and is a quarter off.
      duckdb: 'SELECT region, approx_count_distinct(user_id::VARCHAR) FROM events GROUP BY region',
      clickhouse: 'SELECT region, uniq(user_id) FROM events GROUP BY region',
      bound: 0.041, // Five standard errors.
      truth: {
        duckdb: 'SELECT region, count(DISTINCT user_id) FROM events GROUP BY region',
        peerBound: 0.3, // DuckDB's has been seen 0.19 off.
      },
    }),
    ...needing('p95_8', 'quantile', {
      statement: {
        group_by: ['region'],
        aggregates: [{ aggregate: 'quantile', metric: 'latency', q: 0.95 }],
      },
      duckdb: 'SELECT region, approx_quantile(latency, 0.95) FROM events GROUP BY region',
      clickhouse: 'SELECT region, quantileTDigest(0.95)(latency) FROM events GROUP BY region',
      bound: 0.02,
    }),
    {
      // Exact, as all three can; `top_k` and its like answer about, each with an error of its own.
      row: 'top_10',
      statement: {
        aggregate: 'count',
        group_by: ['user_id'],
        order_by: [{ column: 'count', descending: true }],
        limit: 10,
      },
      // Ties by text: DuckDB orders an ENUM by its codes.
      duckdb: `${TOP_10}, user_id::VARCHAR LIMIT 10`,
      clickhouse: `${TOP_10}, user_id LIMIT 10`,
      bound: EXACT,
    },
    {
      // 1 M keys are grouped; ten come back, so that it is not the transport of a million rows that is measured.
      row: 'group_1m',
      statement: {
        ...sum,
        group_by: ['user_id'],
        order_by: [{ column: 'sum_revenue', descending: true }],
        limit: 10,
      },
      ...both(
        'SELECT user_id, sum(revenue) AS s FROM events GROUP BY user_id ORDER BY s DESC, user_id LIMIT 10',
      ),
    },
    {
      row: 'narrow_range',
      statement: { ...sum, start_time: FROM_US, end_time: TO_US, filters: { region: 'region-3' } },
      ...both(
        `SELECT sum(revenue) FROM events WHERE event_time_us >= ${FROM_US} AND event_time_us < ${TO_US} AND region = 'region-3'`,
      ),
    },
    // What the rows above read, asked once more of the cells that the table's rollup has: the peers scan.
    { row: 'rollup_sum', statement: { ...sum, rollups: true }, ...both('SELECT sum(revenue) FROM events') },
    {
      row: 'rollup_8',
      statement: { ...sum, group_by: ['region'], rollups: true },
      ...both('SELECT region, sum(revenue) FROM events GROUP BY region'),
    },
    {
      row: 'rollup_8x1000',
      statement: {
        group_by: ['region', 'product'],
        aggregates: [sum, { aggregate: 'count' }],
        rollups: true,
      },
      ...both('SELECT region, product, sum(revenue), count(*) FROM events GROUP BY region, product'),
    },
    {
      // Edges inside buckets and seconds: cells in the middle, rows at both ends.
      row: 'rollup_range',
      statement: { ...sum, start_time: FROM_US - 1, end_time: FROM_US + SPAN_US / 4, rollups: true },
      ...both(
        `SELECT sum(revenue) FROM events WHERE event_time_us >= ${FROM_US - 1} AND event_time_us < ${FROM_US + SPAN_US / 4}`,
      ),
    },
    ...needing('min_max_last', 'last', {
      statement: {
        group_by: ['region'],
        aggregates: [
          { aggregate: 'min', metric: 'latency' },
          { aggregate: 'max', metric: 'latency' },
          { aggregate: 'last', metric: 'items' },
        ],
      },
      duckdb:
        'SELECT region, min(latency), max(latency), arg_max(items, event_time_us) FROM events GROUP BY region',
      clickhouse:
        'SELECT region, min(latency), max(latency), argMax(items, event_time_us) FROM events GROUP BY region',
      bound: EXACT,
    }),
  ]
}

function needing(
  row: string,
  aggregate: string,
  rest: Omit<Question, 'row'>,
): readonly (Question | Skipped)[] {
  return [isKnown(aggregate) ? { row, ...rest } : { row, skipped: missing(aggregate) }]
}

const isKnown = (aggregate: string): boolean => (AGGREGATE_NAMES as readonly string[]).includes(aggregate)
const missing = (aggregate: string): string => `the engine has no aggregate ${aggregate} yet`

/** The whole statement: the hour, read row by row, unless the question says otherwise. */
export const statementOf = ({ statement }: Question): QueryStatement =>
  ({
    namespace: 'production',
    table: 'events',
    start_time: START_US,
    end_time: START_US + SPAN_US + 1,
    rollups: false,
    ...statement,
  }) as QueryStatement
