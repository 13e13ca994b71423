import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { planStatement } from './plan-statement.ts'

const definition: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 3,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: false },
    { name: 'latency_us', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64', nullable: false },
    { name: 'paid', type: 'bool', nullable: false },
    { name: 'seen_at', type: 'timestamp', nullable: true },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 2,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 60_000_000,
  idleTimeoutUs: 1_000_000,
  onMemoryFull: 'Evict',
}
const classic: QueryStatement = {
  start_time: 1_754_772_362_000_000,
  end_time: 1_754_772_622_000_000,
  namespace: 'production',
  table: 'events',
}
const plan = (more: object) => planStatement({ ...classic, ...more } as QueryStatement, definition)
const names = (more: object) => plan(more).outputs.map(({ name, type }) => `${name} ${type}`)

test('planStatement: the classic rows: every column, newest first, limited', () => {
  const made = plan({})
  assert.equal(made.kind, 'rows')
  assert.equal(made.limit, 100)
  assert.equal(made.partial.tableVersion, 3)
  assert.deepEqual(
    made.outputs.map(({ name }) => name),
    ['event_id', 'event_time_us', 'region', 'product', 'latency_us', 'revenue', 'paid', 'seen_at'],
  )
})

test('planStatement: the classic filters hold together', () => {
  const { filter } = plan({ filters: { region: 'us-east', product: 'widget-a' } }).partial
  assert.equal(filter?.kind?.case, 'and')
})

test('planStatement: the classic aggregate names its column sum_revenue', () => {
  const made = plan({ group_by: ['region', 'product'], aggregate: 'sum', metric: 'revenue' })
  assert.equal(made.kind, 'aggregate')
  assert.equal(made.keyCount, 2)
  assert.deepEqual(
    made.outputs.map(({ name }) => name),
    ['region', 'product', 'sum_revenue'],
  )
})

test('planStatement: rollups are used unless the statement says otherwise', () => {
  const rowsOnly = (more: object) => plan({ aggregate: 'count', ...more }).partial.rowsOnly ?? false
  assert.deepEqual(
    [rowsOnly({}), rowsOnly({ rollups: true }), rowsOnly({ rollups: false })],
    [false, false, true],
  )
})

const outputs: ReadonlyArray<[name: string, more: object, expected: readonly string[]]> = [
  ['count of rows', { aggregate: 'count' }, ['count int64']],
  ['count of values', { aggregate: 'count', metric: 'latency_us' }, ['count_latency_us int64']],
  ['sum keeps int64', { aggregate: 'sum', metric: 'latency_us' }, ['sum_latency_us int64']],
  ['avg is float64', { aggregate: 'avg', metric: 'latency_us' }, ['avg_latency_us float64']],
  ['max of text', { aggregate: 'max', metric: 'region' }, ['max_region string']],
  ['stddev is float64', { aggregate: 'stddev_samp', metric: 'revenue' }, ['stddev_samp_revenue float64']],
  ['last keeps its type', { aggregate: 'last', metric: 'paid' }, ['last_paid bool']],
  ['first of the id', { aggregate: 'first', metric: 'event_id' }, ['first_event_id string']],
  ['distinct values', { aggregate: 'count_distinct', metric: 'region' }, ['count_distinct_region int64']],
  [
    'distinct values, about',
    { aggregate: 'approx_count_distinct', metric: 'event_id' },
    ['approx_count_distinct_event_id int64'],
  ],
  ['a quantile by its name', { aggregate: 'p95', metric: 'latency_us' }, ['p95_latency_us float64']],
  ['a quantile', { aggregate: 'quantile', metric: 'revenue', q: 0.25 }, ['quantile_revenue float64']],
  ['top values', { aggregate: 'top_k', metric: 'region', k: 3 }, ['top_k_region list']],
  ['as', { aggregates: [{ aggregate: 'min', metric: 'seen_at', as: 'first' }] }, ['first timestamp']],
  [
    'time bucket',
    { group_by: [{ time_bucket: '1m' }], aggregate: 'count' },
    ['time_bucket timestamp', 'count int64'],
  ],
  ['group by the id', { group_by: ['event_id'], aggregate: 'count' }, ['event_id string', 'count int64']],
  ['columns of rows', { columns: ['revenue', 'event_id'] }, ['revenue float64', 'event_id string']],
]
for (const [name, more, expected] of outputs) {
  test(`planStatement: output of ${name}`, () => assert.deepEqual(names(more), expected))
}

const nested = (depth: number): object => (depth === 0 ? { region: 'a' } : { not: nested(depth - 1) })
const refusals: ReadonlyArray<[name: string, more: object, code: string, path: string, text: RegExp]> = [
  ['start at end', { start_time: 5, end_time: 5 }, 'TN_QUERY_INVALID', 'start_time', /below end_time/],
  ['start after end', { start_time: 6, end_time: 5 }, 'TN_QUERY_INVALID', 'start_time', /\[6, 5\)/],
  [
    'unknown filter',
    { filters: { regoin: 'x' } },
    'TN_COLUMN_UNKNOWN',
    'filters.regoin',
    /Did you mean 'region'/,
  ],
  [
    'unknown, deep',
    { filters: { and: [{ region: 'x' }, { or: [{ prodct: 1 }] }] } },
    'TN_COLUMN_UNKNOWN',
    'filters.and[1].or[0].prodct',
    /product/,
  ],
  [
    'unknown, nothing near',
    { filters: { zzz: 'x' } },
    'TN_COLUMN_UNKNOWN',
    'filters.zzz',
    /There are: event_id, /,
  ],
  [
    '__proto__',
    { filters: JSON.parse('{"__proto__": {"eq": 1}}') },
    'TN_COLUMN_UNKNOWN',
    'filters.__proto__',
    /no column/,
  ],
  [
    'constructor as condition',
    { filters: { region: { constructor: 1 } } },
    'TN_QUERY_INVALID',
    'filters.region.constructor',
    /use eq, ne/,
  ],
  [
    'number for text',
    { filters: { region: 7 } },
    'TN_QUERY_INVALID',
    'filters.region',
    /give a string, not 7/,
  ],
  [
    'text for number',
    { filters: { revenue: { gt: '7' } } },
    'TN_QUERY_INVALID',
    'filters.revenue.gt',
    /finite number/,
  ],
  [
    'fraction for int64',
    { filters: { latency_us: 1.5 } },
    'TN_QUERY_INVALID',
    'filters.latency_us',
    /an integer/,
  ],
  [
    'beyond 2^53',
    { filters: { latency_us: [1, 2 ** 53] } },
    'TN_QUERY_INVALID',
    'filters.latency_us[1]',
    /2\^53/,
  ],
  [
    'infinity',
    { filters: { revenue: Number.POSITIVE_INFINITY } },
    'TN_QUERY_INVALID',
    'filters.revenue',
    /finite/,
  ],
  ['half a pair', { filters: { region: '\ud800' } }, 'TN_QUERY_INVALID', 'filters.region', /surrogate/],
  ['order of bool', { filters: { paid: { gt: true } } }, 'TN_QUERY_INVALID', 'filters.paid.gt', /no order/],
  [
    'like of int64',
    { filters: { latency_us: { like: '1%' } } },
    'TN_QUERY_INVALID',
    'filters.latency_us.like',
    /string column/,
  ],
  [
    'gt null',
    { filters: { latency_us: { gt: null } } },
    'TN_QUERY_INVALID',
    'filters.latency_us.gt',
    /not null/,
  ],
  ['empty condition', { filters: { region: {} } }, 'TN_QUERY_INVALID', 'filters.region', /empty condition/],
  ['empty or', { filters: { or: [] } }, 'TN_QUERY_INVALID', 'filters.or', /at least one/],
  ['empty operand', { filters: { or: [{}] } }, 'TN_QUERY_INVALID', 'filters.or[0]', /is empty/],
  ['not of a list', { filters: { not: [] } }, 'TN_QUERY_INVALID', 'filters.not', /must be an object/],
  [
    '33 deep',
    { filters: nested(32) },
    'TN_QUERY_LIMIT',
    `filters${'.not'.repeat(32)}`,
    /QUERY_FILTER_DEPTH_MAX/,
  ],
  [
    '10,001 values',
    { filters: { region: Array(10_001).fill('x') } },
    'TN_QUERY_LIMIT',
    'filters.region',
    /QUERY_FILTER_VALUES_MAX/,
  ],
  [
    'unknown group',
    { group_by: ['regio'], aggregate: 'count' },
    'TN_COLUMN_UNKNOWN',
    'group_by[0]',
    /region/,
  ],
  ['group without aggregate', { group_by: ['region'] }, 'TN_QUERY_INVALID', 'group_by', /aggregate/],
  [
    'group twice',
    { group_by: ['region', 'region'], aggregate: 'count' },
    'TN_QUERY_INVALID',
    'group_by[1]',
    /two columns/,
  ],
  ['sum of nothing', { aggregate: 'sum' }, 'TN_QUERY_INVALID', 'metric', /sum needs/],
  ['sum of text', { aggregate: 'sum', metric: 'region' }, 'TN_QUERY_INVALID', 'metric', /is string/],
  [
    'variance of a time',
    { aggregates: [{ aggregate: 'var_pop', metric: 'seen_at' }] },
    'TN_QUERY_INVALID',
    'aggregates[0].metric',
    /var_pop needs int64 or float64; 'seen_at' is timestamp/,
  ],
  [
    'a quantile without q',
    { aggregate: 'quantile', metric: 'revenue' },
    'TN_QUERY_INVALID',
    'q',
    /such as 0.95; or use p95/,
  ],
  [
    'q of p95',
    { aggregates: [{ aggregate: 'p95', metric: 'revenue', q: 0.9 }] },
    'TN_QUERY_INVALID',
    'aggregates[0].q',
    /p95 takes no q; quantile does/,
  ],
  ['k of a count', { aggregate: 'count', k: 3 }, 'TN_QUERY_INVALID', 'k', /top_k does/],
  ['k alone', { k: 3 }, 'TN_QUERY_INVALID', 'k', /needs "aggregate"/],
  [
    'too great a k',
    { aggregate: 'top_k', metric: 'region', k: 257 },
    'TN_QUERY_LIMIT',
    'k',
    /QUERY_TOP_K_MAX/,
  ],
  [
    'a quantile of text',
    { aggregate: 'p50', metric: 'region' },
    'TN_QUERY_INVALID',
    'metric',
    /int64 or float64/,
  ],
  [
    'order by a list',
    { aggregate: 'top_k', metric: 'region', order_by: [{ column: 'top_k_region' }] },
    'TN_QUERY_INVALID',
    'order_by[0].column',
    /has no order/,
  ],
  ['last of nothing', { aggregate: 'last' }, 'TN_QUERY_INVALID', 'metric', /last needs/],
  ['min of the id', { aggregate: 'min', metric: 'event_id' }, 'TN_QUERY_INVALID', 'metric', /no order/],
  [
    'unknown metric',
    { aggregates: [{ aggregate: 'sum', metric: 'revnue' }] },
    'TN_COLUMN_UNKNOWN',
    'aggregates[0].metric',
    /revenue/,
  ],
  ['metric alone', { metric: 'revenue' }, 'TN_QUERY_INVALID', 'metric', /needs "aggregate"/],
  [
    'both forms',
    { aggregate: 'count', aggregates: [{ aggregate: 'count' }] },
    'TN_QUERY_INVALID',
    'aggregates',
    /not both/,
  ],
  [
    'twin outputs',
    { aggregates: [{ aggregate: 'count' }, { aggregate: 'count' }] },
    'TN_QUERY_INVALID',
    'aggregates[1]',
    /"as"/,
  ],
  [
    'columns of aggregates',
    { columns: ['region'], aggregate: 'count' },
    'TN_QUERY_INVALID',
    'columns',
    /for rows/,
  ],
  ['unknown column', { columns: ['regionn'] }, 'TN_COLUMN_UNKNOWN', 'columns[0]', /region/],
  [
    'rows by revenue',
    { order_by: [{ column: 'revenue' }] },
    'TN_QUERY_INVALID',
    'order_by[0].column',
    /newest first/,
  ],
  [
    'order by a stranger',
    { aggregate: 'count', order_by: [{ column: 'cnt' }] },
    'TN_COLUMN_UNKNOWN',
    'order_by[0].column',
    /count/,
  ],
  ['too many rows', { limit: 10_001 }, 'TN_QUERY_LIMIT', 'limit', /QUERY_ROWS_MAX/],
  [
    'too many groups',
    { aggregate: 'count', limit: 1_000_001 },
    'TN_QUERY_LIMIT',
    'limit',
    /QUERY_GROUPS_MAX/,
  ],
  [
    'bucket too wide',
    { aggregate: 'count', group_by: [{ time_bucket: '999999999d' }] },
    'TN_QUERY_INVALID',
    'group_by[0].time_bucket',
    /such as "1m"/,
  ],
]
for (const [name, more, code, path, text] of refusals) {
  test(`planStatement: refuses ${name}`, () => {
    assert.throws(
      () => plan(more),
      (error: unknown) => {
        assert.ok(error instanceof TrueNowError)
        assert.equal(error.code, code)
        assert.equal(error.details.path, path)
        assert.match(error.message, text)
        return true
      },
    )
  })
}

test('planStatement: as deep and as many values as allowed', () => {
  plan({ filters: nested(31) })
  plan({ filters: { region: Array(10_000).fill('x') } })
})

test('planStatement: says which columns are approximate, and how far', () => {
  const aggregates = [
    { aggregate: 'count_distinct', metric: 'region' },
    { aggregate: 'approx_count_distinct', metric: 'region', as: 'regions' },
    { aggregate: 'p95', metric: 'revenue' },
    { aggregate: 'top_k', metric: 'region' },
  ]
  assert.deepEqual(plan({ aggregates }).approximate, {
    regions: { method: 'hyperloglog++', relative_standard_error: 0.0081 },
    p95_revenue: { method: 't-digest', rank_error: 0.00274 },
    top_k_region: { method: 'count-min', relative_error: 0.000664, confidence: 0.9933 },
  })
  assert.deepEqual(plan({}).approximate, {})
})

test('planStatement: newest first may be said aloud', () => {
  assert.deepEqual(plan({ order_by: [{ column: 'event_time_us', descending: true }] }).orderBy, [])
})
