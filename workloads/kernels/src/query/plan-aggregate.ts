import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type AggregateCallSchema,
  AggregateFunction,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { AggregateName, Approximation, QueryStatement } from '@truenow/contracts/query-statement.ts'
import { HYPERLOGLOG_RELATIVE_STANDARD_ERROR } from '../sketches/hyperloglog.ts'
import type { OutputColumn } from './output-column.ts'
import { statementError, unknownColumn } from './statement-error.ts'
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
  gives: 'int64' | 'float64' | 'own'
  approximation?: Approximation
}>
const float = (name: AggregateFunction): Kind => ({ function: name, takes: 'numeric', gives: 'float64' })

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
  return {
    path,
    output: { name, type },
    call: { function: kind.function, column: metric },
    approximation: kind.approximation,
  }
}
