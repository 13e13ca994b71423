import type { MessageInitShape } from '@bufbuild/protobuf'
import type { PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  type Approximation,
  QUERY_DISTINCT_VALUES_MAX,
  QUERY_GROUPS_MAX,
  QUERY_ROWS_DEFAULT,
  QUERY_ROWS_MAX,
  QUERY_SKETCH_BYTES_MAX,
  type QueryStatement,
} from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { OutputColumn } from './output-column.ts'
import { type NamedCall, planAggregate } from './plan-aggregate.ts'
import { type FilterInit, readFilters } from './read-filters.ts'
import { readTimeBucket } from './read-time-bucket.ts'
import { limitError, statementError, unknownColumn } from './statement-error.ts'
import { type QueryColumn, tableColumns } from './table-columns.ts'

/** What the shards are asked, and what the query role does with the merged result. */
export type QueryPlan = Readonly<{
  partial: MessageInitShape<typeof PlanSchema>
  kind: 'aggregate' | 'rows'
  /** The answer's columns, in order: group keys, then aggregates; or the columns of the rows. */
  outputs: readonly OutputColumn[]
  /** How many of `outputs` are group keys. */
  keyCount: number
  /** Columns of the answer that are not exact, and how far off they may be. */
  approximate: Readonly<Record<string, Approximation>>
  orderBy: ReadonlyArray<Readonly<{ output: number; descending: boolean }>>
  /** Rows that the answer may have; undefined = every group. */
  limit: number | undefined
}>
type Range = Readonly<{
  tableVersion: number
  startUs: bigint
  endUs: bigint
  filter?: FilterInit
  rowsOnly?: boolean
}>
type Columns = ReadonlyMap<string, QueryColumn>

/** Name of the column that a time bucket makes. */
const TIME_BUCKET_NAME = 'time_bucket'

/**
 * A well-formed statement becomes a plan over one table version. Without aggregates: rows, newest first. With them:
 * one row a group, ordered by the keys unless order_by says otherwise.
 * Errors: TN_QUERY_INVALID, TN_COLUMN_UNKNOWN, TN_QUERY_LIMIT; each names the path, the rule and the remedy.
 */
export function planStatement(statement: QueryStatement, definition: TableDefinition): QueryPlan {
  if (statement.start_time >= statement.end_time) {
    const range = `[${statement.start_time}, ${statement.end_time})`
    throw statementError(
      'start_time',
      `must be below end_time; the range ${range} is empty (µs, end excluded).`,
    )
  }
  const columns = tableColumns(definition)
  const filter = readFilters(statement.filters, columns)
  const range = {
    tableVersion: definition.version,
    startUs: BigInt(statement.start_time),
    endUs: BigInt(statement.end_time),
    ...(filter === undefined ? {} : { filter }),
    ...(statement.rollups === false ? { rowsOnly: true } : {}),
  }
  const calls = readCalls(statement)
  return calls.length > 0
    ? planGroups(statement, range, calls, columns)
    : planRows(statement, range, columns, definition.timeColumn)
}

function planGroups(
  statement: QueryStatement,
  range: Range,
  calls: readonly NamedCall[],
  columns: Columns,
): QueryPlan {
  if (statement.columns !== undefined) {
    throw statementError('columns', 'is for rows; with aggregates, name what to group by in group_by.')
  }
  const keys = (statement.group_by ?? []).map((key, at) => planKey(key, columns, `group_by[${at}]`))
  const aggregates = calls.map((call) => planAggregate(call, columns))
  const outputs = [...keys, ...aggregates].map(({ output }) => output)
  refuseTwins(
    outputs.map(({ name }, at) => [name, keys[at]?.path ?? aggregates[at - keys.length]?.path ?? 'group_by']),
    'give one of them another name with "as".',
  )
  const { limit } = statement
  if (limit !== undefined && limit > QUERY_GROUPS_MAX) {
    throw limitError('limit', 'QUERY_GROUPS_MAX', QUERY_GROUPS_MAX, limit)
  }
  const orderBy = planOrder(statement, outputs)
  const value = {
    keys: keys.map(({ key }) => key),
    aggregates: aggregates.map(({ call }) => call),
    groupsMax: QUERY_GROUPS_MAX,
    distinctValuesMax: QUERY_DISTINCT_VALUES_MAX,
    sketchBytesMax: BigInt(QUERY_SKETCH_BYTES_MAX),
    ...(limit === undefined ? {} : { order: [...orderBy], limit }),
  }
  return {
    partial: { ...range, shape: { case: 'aggregate', value } },
    kind: 'aggregate',
    outputs,
    keyCount: keys.length,
    approximate: Object.fromEntries(
      aggregates.flatMap(({ output, approximation }) =>
        approximation === undefined ? [] : [[output.name, approximation]],
      ),
    ),
    orderBy,
    limit,
  }
}

function planRows(statement: QueryStatement, range: Range, columns: Columns, timeColumn: string): QueryPlan {
  if (statement.group_by !== undefined) {
    throw statementError('group_by', 'needs "aggregate" (with "metric") or "aggregates", such as "count".')
  }
  const names = statement.columns ?? [...columns.keys()]
  const outputs = names.map((name, at) => asOutput(requireColumn(name, columns, `columns[${at}]`)))
  refuseTwins(
    names.map((name, at) => [name, `columns[${at}]`]),
    'name each column once.',
  )
  const limit = statement.limit ?? QUERY_ROWS_DEFAULT
  if (limit > QUERY_ROWS_MAX) throw limitError('limit', 'QUERY_ROWS_MAX', QUERY_ROWS_MAX, limit)
  for (const [at, { column, descending }] of (statement.order_by ?? []).entries()) {
    const path = `order_by[${at}].column`
    requireColumn(column, columns, path)
    if (at === 0 && column === timeColumn && descending === true) continue
    // Shards send their newest rows only, so any other order would be over rows chosen by time: a wrong answer.
    throw statementError(
      path,
      `rows come newest first; only "${timeColumn}" with "descending": true is possible.`,
    )
  }
  return {
    partial: { ...range, shape: { case: 'rows', value: { columns: [...names], limit } } },
    kind: 'rows',
    outputs,
    keyCount: 0,
    approximate: {},
    orderBy: [],
    limit,
  }
}

function readCalls(statement: QueryStatement): readonly NamedCall[] {
  const { aggregate, aggregates, metric, q, k } = statement
  if (aggregate !== undefined && aggregates !== undefined) {
    throw statementError('aggregates', 'give either "aggregate" with "metric", or "aggregates", not both.')
  }
  for (const [field, value] of Object.entries({ metric, q, k })) {
    if (value !== undefined && aggregate === undefined)
      throw statementError(field, 'needs "aggregate", such as "sum"; in "aggregates" each has its own.')
  }
  if (aggregates !== undefined) return aggregates.map((call, at) => ({ ...call, path: `aggregates[${at}]` }))
  if (aggregate === undefined) return []
  return [{ aggregate, path: '', ...given({ metric, q, k }) }]
}

/** Without the fields that are not there. */
function given({
  metric,
  q,
  k,
}: Readonly<{ metric: string | undefined; q: number | undefined; k: number | undefined }>) {
  return {
    ...(metric === undefined ? {} : { metric }),
    ...(q === undefined ? {} : { q }),
    ...(k === undefined ? {} : { k }),
  }
}

function planKey(key: NonNullable<QueryStatement['group_by']>[number], columns: Columns, path: string) {
  if (typeof key === 'string') {
    const column = requireColumn(key, columns, path)
    return { path, output: asOutput(column), key: { kind: { case: 'column', value: key } } } as const
  }
  const widthUs = readTimeBucket(key.time_bucket, `${path}.time_bucket`)
  const output: OutputColumn = { name: TIME_BUCKET_NAME, type: 'timestamp' }
  return { path, output, key: { kind: { case: 'timeBucketUs', value: BigInt(widthUs) } } } as const
}

function planOrder(statement: QueryStatement, outputs: readonly OutputColumn[]): QueryPlan['orderBy'] {
  return (statement.order_by ?? []).map(({ column, descending }, at) => {
    const output = outputs.findIndex(({ name }) => name === column)
    if (outputs[output]?.type === 'list') {
      throw statementError(
        `order_by[${at}].column`,
        `'${column}' is a list, which has no order; order by another column.`,
      )
    }
    if (output >= 0) return { output, descending: descending ?? false }
    throw unknownColumn(
      `order_by[${at}].column`,
      column,
      outputs.map(({ name }) => name),
    )
  })
}

function requireColumn(name: string, columns: Columns, path: string): QueryColumn {
  const column = columns.get(name)
  if (column === undefined) throw unknownColumn(path, name, columns.keys())
  return column
}

function refuseTwins(names: ReadonlyArray<readonly [name: string, path: string]>, remedy: string): void {
  const seen = new Set<string>()
  for (const [name, path] of names) {
    if (seen.has(name)) throw statementError(path, `the answer would have two columns '${name}'; ${remedy}`)
    seen.add(name)
  }
}

const asOutput = ({ name, type }: QueryColumn): OutputColumn => ({
  name,
  type: type === 'id' ? 'string' : type,
})
