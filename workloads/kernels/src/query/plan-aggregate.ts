import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type AggregateCallSchema,
  AggregateFunction,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  type AggregateName,
  type Approximation,
  QUERY_TOP_K_DEFAULT,
  QUERY_TOP_K_MAX,
  type QueryStatement,
} from '@truenow/contracts/query-statement.ts'
import { COUNT_MIN_CONFIDENCE, COUNT_MIN_RELATIVE_ERROR } from '../sketches/count-min.ts'
import { HYPERLOGLOG_RELATIVE_STANDARD_ERROR } from '../sketches/hyperloglog.ts'
import { tDigestRankError } from '../sketches/t-digest.ts'
import type { OutputColumn } from './output-column.ts'
import { limitError, statementError, unknownColumn } from './statement-error.ts'
import type { QueryColumn } from './table-columns.ts'

/** An aggregate as a statement names it; `path` is its place in it, empty for the one of `aggregate` with `metric`. */
export type NamedCall = NonNullable<QueryStatement['aggregates']>[number] & Readonly<{ path: string }>
export type PlannedAggregate = Readonly<{
  path: string
  output: OutputColumn
  call: MessageInitShape<typeof AggregateCallSchema>
  /** Undefined: exact. */
  approximation: Approximation | undefined
}>
/** `ordered` is everything but the event id, `numeric` int64 and float64; `own` is the type of the column. */
type Kind = Readonly<{
  function: AggregateFunction
  takes: 'any' | 'ordered' | 'numeric'
  gives: 'int64' | 'float64' | 'own' | 'list'
  /** Which parameter it takes beside the metric. */
  parameter?: 'q' | 'k'
  /** A quantile with a name of its own. */
  quantile?: number
  approximation?: Approximation
}>
const float = (name: AggregateFunction): Kind => ({ function: name, takes: 'numeric', gives: 'float64' })
const fixedQuantile = (quantile: number): Kind => ({
  function: AggregateFunction.QUANTILE,
  takes: 'numeric',
  gives: 'float64',
  quantile,
})

/** Every aggregate: what the shards are asked, which columns it takes, what it gives. */
const KINDS: Readonly<Record<AggregateName, Kind>> = {
  count: { function: AggregateFunction.COUNT, takes: 'any', gives: 'int64' },
  sum: { function: AggregateFunction.SUM, takes: 'numeric', gives: 'own' },
  min: { function: AggregateFunction.MIN, takes: 'ordered', gives: 'own' },
  max: { function: AggregateFunction.MAX, takes: 'ordered', gives: 'own' },
  avg: float(AggregateFunction.AVG),
  var_pop: float(AggregateFunction.VAR_POP),
  var_samp: float(AggregateFunction.VAR_SAMP),
  stddev_pop: float(AggregateFunction.STDDEV_POP),
  stddev_samp: float(AggregateFunction.STDDEV_SAMP),
  first: { function: AggregateFunction.FIRST, takes: 'any', gives: 'own' },
  last: { function: AggregateFunction.LAST, takes: 'any', gives: 'own' },
  count_distinct: { function: AggregateFunction.COUNT_DISTINCT, takes: 'any', gives: 'int64' },
  approx_count_distinct: {
    function: AggregateFunction.APPROX_COUNT_DISTINCT,
    takes: 'any',
    gives: 'int64',
    approximation: {
      method: 'hyperloglog++',
      relative_standard_error: HYPERLOGLOG_RELATIVE_STANDARD_ERROR,
    },
  },
  quantile: { function: AggregateFunction.QUANTILE, takes: 'numeric', gives: 'float64', parameter: 'q' },
  p50: fixedQuantile(0.5),
  p90: fixedQuantile(0.9),
  p95: fixedQuantile(0.95),
  p99: fixedQuantile(0.99),
  p999: fixedQuantile(0.999),
  top_k: {
    function: AggregateFunction.TOP_K,
    takes: 'any',
    gives: 'list',
    parameter: 'k',
    approximation: {
      method: 'count-min',
      relative_error: Number(COUNT_MIN_RELATIVE_ERROR.toPrecision(3)),
      confidence: Number(COUNT_MIN_CONFIDENCE.toPrecision(4)),
    },
  },
}

/**
 * One aggregate of a statement over the columns of a table version.
 * Errors: TN_QUERY_INVALID, TN_COLUMN_UNKNOWN; each names the path, the rule and the remedy.
 */
export function planAggregate(call: NamedCall, columns: ReadonlyMap<string, QueryColumn>): PlannedAggregate {
  const { aggregate, metric } = call
  const place = (field: string) => (call.path === '' ? field : `${call.path}.${field}`)
  const path = call.path === '' ? 'aggregate' : call.path
  const kind = KINDS[aggregate]
  const name = call.as ?? (metric === undefined ? aggregate : `${aggregate}_${metric}`)
  if (metric === undefined) {
    if (aggregate === 'count') refuseParameters({ aggregate, q: call.q, k: call.k }, place)
    if (aggregate !== 'count')
      throw statementError(place('metric'), `${aggregate} needs the column to ${aggregate}.`)
    return {
      path,
      output: { name, type: 'int64' },
      call: { function: kind.function, column: '' },
      approximation: undefined,
    }
  }
  const column = columns.get(metric)
  if (column === undefined) throw unknownColumn(place('metric'), metric, columns.keys())
  if (kind.takes === 'numeric' && column.type !== 'int64' && column.type !== 'float64') {
    throw statementError(
      place('metric'),
      `${aggregate} needs int64 or float64; '${metric}' is ${column.type}.`,
    )
  }
  if (kind.takes === 'ordered' && column.type === 'id') {
    throw statementError(place('metric'), `the event id has no order, so it has no ${aggregate}.`)
  }
  const own = column.type === 'id' ? 'string' : column.type
  const type = kind.gives === 'own' ? own : kind.gives
  const { q, k } = readParameters(call, kind, place)
  return {
    path,
    output: { name, type },
    call: { function: kind.function, column: metric, quantile: q ?? 0, k: k ?? 0 },
    approximation:
      q === undefined ? kind.approximation : { method: 't-digest', rank_error: tDigestRankError(q) },
  }
}

/** The parameters that the shards are told: named quantiles have theirs, `top_k` a default. */
function readParameters(
  { aggregate, q, k }: NamedCall,
  { parameter, quantile }: Kind,
  place: (field: string) => string,
): Readonly<{ q?: number; k?: number }> {
  refuseParameters(
    { aggregate, q: parameter === 'q' ? undefined : q, k: parameter === 'k' ? undefined : k },
    place,
  )
  if (quantile !== undefined) return { q: quantile }
  if (parameter === 'k') {
    if (k !== undefined && k > QUERY_TOP_K_MAX)
      throw limitError(place('k'), 'QUERY_TOP_K_MAX', QUERY_TOP_K_MAX, k)
    return { k: k ?? QUERY_TOP_K_DEFAULT }
  }
  if (parameter !== 'q') return {}
  if (q === undefined)
    throw statementError(place('q'), 'quantile needs which one, 0 to 1, such as 0.95; or use p95.')
  return { q }
}

function refuseParameters(
  { aggregate, q, k }: Readonly<{ aggregate: string; q: number | undefined; k: number | undefined }>,
  place: (field: string) => string,
): void {
  if (q !== undefined) throw statementError(place('q'), `${aggregate} takes no q; quantile does.`)
  if (k !== undefined) throw statementError(place('k'), `${aggregate} takes no k; top_k does.`)
}
