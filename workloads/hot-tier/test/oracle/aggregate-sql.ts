import type { AggregateName } from '@truenow/contracts/query-statement.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import type { Call } from './calls-of.ts'
import { judgeDistinct } from './judge-distinct.ts'
import { judgeExactly, judgeIntegerSum } from './judge-exactly.ts'
import { judgeFloatSum, judgeIntegerMean, SUM_SCALE } from './judge-floats.ts'
import { judgeQuantile, quantileOf } from './judge-quantile.ts'
import { judgeTopK } from './judge-top-k.ts'
import { judgeVariance, VARIANCE_PLAIN_MAX, VARIANCE_SCALE } from './judge-variance.ts'
import type { Judge } from './verdict.ts'

type ValueType = ColumnType | 'id'
/** How an aggregate is put to DuckDB over one column, and how its answer is judged. */
export type AggregateSql = Readonly<{
  takes: readonly ValueType[]
  gives: 'int64' | 'float64' | 'own' | 'list'
  /** How often it is asked beside the others. */
  weight: number
  of: (column: string, type: ValueType, call: Call) => AggregateParts
}>
/** The first expression is the value where it is exact, and stands in the order of rows. */
export type AggregateParts = Readonly<{ expressions: readonly string[]; judge: Judge }>

const ALL = ['string', 'int64', 'float64', 'bool', 'timestamp'] as const
const ANY = [...ALL, 'id'] as const
const NUMERIC = ['int64', 'float64'] as const
const INT64 = 'BETWEEN -9223372036854775808::HUGEINT AND 9223372036854775807::HUGEINT'
const double = (number: number): string => `'${number}'::DOUBLE` // A bare 0.1 would be a DECIMAL.
/** -0 and 0 are one value. */
const asOne = (column: string, type: ValueType): string =>
  type === 'float64' ? `CASE WHEN ${column} = 0 THEN 0 ELSE ${column} END` : column

/** fsum is DuckDB's compensated sum. */
function floatSums(column: string, divisor: string): string[] {
  const scaled = `sum(${column} * ${double(SUM_SCALE)})`
  return [`fsum(${column})${divisor}`, `fsum(abs(${column}))${divisor}`, `${scaled}${divisor}`, scaled]
}

function variance(form: 'pop' | 'samp', root: boolean): AggregateSql {
  const expressions = (column: string) => {
    const plain = `CASE WHEN abs(${column}) < ${VARIANCE_PLAIN_MAX} THEN ${column}::DOUBLE END`
    const scaled = `${column} * ${double(VARIANCE_SCALE)}`
    return [
      ...[plain, scaled].flatMap((value) => [`var_${form}(${value})`, `avg((${value}) * (${value}))`]),
      `max(abs(${column}::DOUBLE))`,
      `count(${column})`,
    ]
  }
  const judge = judgeVariance(root)
  return {
    takes: NUMERIC,
    gives: 'float64',
    weight: 1,
    of: (column) => ({ expressions: expressions(column), judge }),
  }
}

/** README of query: of equal times the lower slot, then the order of the log. A null is no value. */
function endOfTime(direction: 'ASC' | 'DESC'): AggregateSql {
  const order = `_time ${direction}, _slot ASC, _row ${direction}`
  const expression = (column: string) =>
    `first(${column} ORDER BY ${order}) FILTER (WHERE ${column} IS NOT NULL)`
  return {
    takes: ANY,
    gives: 'own',
    weight: 2,
    of: (column) => ({ expressions: [expression(column)], judge: judgeExactly }),
  }
}

/** All values in order are the truth; 0.5 of them is what DuckDB makes of few. */
const quantile = (weight: number): AggregateSql => ({
  takes: NUMERIC,
  gives: 'float64',
  weight,
  of: (column, _type, call) => ({
    expressions: [
      `quantile_cont(${column}::DOUBLE, ${double(quantileOf(call))})`,
      `list_sort(list(${column}::DOUBLE) FILTER (WHERE ${column} IS NOT NULL))`,
    ],
    judge: judgeQuantile,
  }),
})

const exactly = (
  takes: readonly ValueType[],
  gives: 'int64' | 'own',
  expression: (column: string, type: ValueType) => string,
): AggregateSql => ({
  takes,
  gives,
  weight: 2,
  of: (column, type) => ({ expressions: [expression(column, type)], judge: judgeExactly }),
})

/** A new aggregate joins by its line here: the compiler asks for it. */
export const AGGREGATE_SQL: Readonly<Record<AggregateName, AggregateSql>> = {
  count: exactly(ANY, 'int64', (column) => `count(${column})`),
  sum: {
    takes: NUMERIC,
    gives: 'own',
    weight: 6,
    // kernels/src/plan/finalize-partial.ts: a sum beyond int64 is null; DuckDB goes on as HUGEINT.
    of: (column, type) =>
      type === 'int64'
        ? {
            expressions: [`CASE WHEN sum(${column}) ${INT64} THEN sum(${column}) END`, `sum(${column})`],
            judge: judgeIntegerSum,
          }
        : { expressions: floatSums(column, ''), judge: judgeFloatSum },
  },
  min: exactly(ALL, 'own', (column) => `min(${column})`),
  max: exactly(ALL, 'own', (column) => `max(${column})`),
  avg: {
    takes: NUMERIC,
    gives: 'float64',
    weight: 2,
    of: (column, type) =>
      type === 'int64'
        ? { expressions: [`avg(${column})`], judge: judgeIntegerMean }
        : { expressions: floatSums(column, ` / count(${column})`), judge: judgeFloatSum },
  },
  var_pop: variance('pop', false),
  var_samp: variance('samp', false),
  stddev_pop: variance('pop', true),
  stddev_samp: variance('samp', true),
  first: endOfTime('ASC'),
  last: endOfTime('DESC'),
  count_distinct: exactly(ANY, 'int64', (column, type) => `count(DISTINCT ${asOne(column, type)})`),
  approx_count_distinct: {
    takes: ANY,
    gives: 'int64',
    weight: 2,
    of: (column, type) => ({
      expressions: [`count(DISTINCT ${asOne(column, type)})`],
      judge: judgeDistinct,
    }),
  },
  quantile: quantile(2),
  p50: quantile(1),
  p90: quantile(1),
  p95: quantile(1),
  p99: quantile(1),
  p999: quantile(1),
  top_k: {
    takes: ANY,
    gives: 'list',
    weight: 2,
    of: (column, type) => ({ expressions: [`histogram(${asOne(column, type)})`], judge: judgeTopK }),
  },
}
export const AGGREGATES = Object.keys(AGGREGATE_SQL) as AggregateName[]

/** Whether rows may be put in the order of a call's values, and cut: both sides have the very same. */
export const isExact = ({ judge }: AggregateParts): boolean =>
  judge === judgeExactly || judge === judgeIntegerSum
