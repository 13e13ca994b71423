import { QUERY_ROWS_DEFAULT, type QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { AGGREGATE_SQL, type OracleAggregate } from './aggregate-sql.ts'

/** Slot → offset that the answer has seen. */
export type Positions = ReadonlyMap<number, number>
/** One column of the answer, and how many columns of DuckDB's result stand for it: four where it is inexact (aggregate-sql.ts). */
export type SqlOutput = Readonly<{ type: ColumnType; parts: 1 | 4 }>
export type SqlStatement = Readonly<{ sql: string; outputs: readonly SqlOutput[]; ordered: boolean }>
type Types = ReadonlyMap<string, ColumnType | 'id'>

const BUCKET_UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  s: 1e6,
  m: 60e6,
  h: 3_600e6,
  d: 86_400e6,
}

/**
 * A statement in DuckDB's words over the table of load-rows.ts, straight from its JSON: no plan, nothing of ours is asked.
 * Where the documents say otherwise than DuckDB would, the documents are what is written down here, and a comment says so.
 */
export function statementToSql(
  statement: QueryStatement,
  definition: TableDefinition,
  positions: Positions,
): SqlStatement {
  const types: Types = new Map([
    [definition.idColumn, 'id'],
    [definition.timeColumn, 'timestamp'],
    ...definition.columns.map(({ name, type }) => [name, type] as const),
  ])
  const time = definition.timeColumn
  const seen = [...positions].map(
    ([slot, offset]) => `(_slot = ${slot} AND _from <= ${offset} AND _gone > ${offset})`,
  )
  const where = [
    seen.length === 0 ? 'FALSE' : `(${seen.join(' OR ')})`,
    `${time} >= ${statement.start_time}`,
    `${time} < ${statement.end_time}`,
    ...(statement.filters === undefined ? [] : [treeSql(statement.filters, types)]),
  ].join(' AND ')
  const { aggregates } = statement
  return aggregates === undefined
    ? rowsSql(statement, types, time, where)
    : groupsSql(statement, aggregates, types, time, where)
}

/** README of query: rows come newest first; of equal times the lower slot, and in a slot the later row of the log. */
function rowsSql(statement: QueryStatement, types: Types, time: string, where: string): SqlStatement {
  const names = statement.columns ?? [...types.keys()]
  const limit = statement.limit ?? QUERY_ROWS_DEFAULT
  return {
    sql: `SELECT ${names.join(', ')} FROM rows WHERE ${where} ORDER BY ${time} DESC, _slot, _row DESC LIMIT ${limit}`,
    outputs: names.map((name) => ({ type: shownType(types.get(name)), parts: 1 })),
    ordered: true,
  }
}

function groupsSql(
  statement: QueryStatement,
  aggregates: NonNullable<QueryStatement['aggregates']>,
  types: Types,
  time: string,
  where: string,
): SqlStatement {
  const keys = (statement.group_by ?? []).map((key) => {
    if (typeof key !== 'string')
      return { name: 'time_bucket', sql: bucketSql(key.time_bucket, time), type: 'timestamp' as const }
    // -0 and 0 are one value; DuckDB would show whichever came first.
    const sql = types.get(key) === 'float64' ? `CASE WHEN ${key} = 0 THEN 0 ELSE ${key} END` : key
    return { name: key, sql, type: shownType(types.get(key)) }
  })
  const calls = aggregates.map(({ aggregate, metric }) => {
    if (metric === undefined) return { name: 'count', expressions: ['count(*)'], type: 'int64' as const }
    const type = types.get(metric) ?? 'string'
    const expressions = AGGREGATE_SQL[aggregate as OracleAggregate].expressions(metric, type)
    const shown =
      aggregate === 'count' || aggregate === 'count_distinct'
        ? 'int64'
        : aggregate === 'avg'
          ? 'float64'
          : shownType(type)
    return { name: `${aggregate}_${metric}`, expressions, type: shown }
  })
  const selected = [
    ...keys.map(({ name, sql }) => `${sql} AS ${quoted(name)}`),
    ...calls.flatMap(({ name, expressions }) =>
      expressions.map((sql, part) => `${sql} AS ${quoted(part === 0 ? name : `${name} ${part}`)}`),
    ),
  ]
  const grouped = keys.length === 0 ? '' : ` GROUP BY ${keys.map((_, at) => at + 1).join(', ')}`
  const inexact = new Set(calls.filter(({ expressions }) => expressions.length > 1).map(({ name }) => name))
  const orderBy = statement.order_by ?? []
  // query/order-rows.ts: null is last in either direction, ties go by the keys.
  const order = [
    ...orderBy.map(
      ({ column, descending }) => `${quoted(column)} ${descending === true ? 'DESC' : 'ASC'} NULLS LAST`,
    ),
    ...keys.map(({ name }) => `${quoted(name)} ASC NULLS LAST`),
  ]
  const outer = `SELECT * FROM (SELECT ${selected.join(', ')} FROM rows WHERE ${where}${grouped})`
  const limited = statement.limit === undefined ? '' : ` LIMIT ${statement.limit}`
  return {
    sql: `${outer}${order.length === 0 ? '' : ` ORDER BY ${order.join(', ')}`}${limited}`,
    outputs: [
      ...keys.map(({ type }) => ({ type, parts: 1 as const })),
      ...calls.map(({ type, expressions }) => ({
        type,
        parts: expressions.length === 1 ? (1 as const) : (4 as const),
      })),
    ],
    ordered: !orderBy.some(({ column }) => inexact.has(column)),
  }
}

function bucketSql(width: string, time: string): string {
  const [, count, unit = ''] = /^(\d+)([a-z]+)$/.exec(width) ?? []
  return `${time} - ${time} % ${Number(count) * (BUCKET_UNITS_US[unit] ?? Number.NaN)}`
}

/** One object is a conjunction. */
function treeSql(tree: unknown, types: Types): string {
  return allOf(
    Object.entries(tree as object).map(([key, value]) => {
      if (key === 'not') return `(NOT ${treeSql(value, types)})`
      if (key === 'and') return allOf((value as unknown[]).map((each) => treeSql(each, types)))
      if (key === 'or') return `(${(value as unknown[]).map((each) => treeSql(each, types)).join(' OR ')})`
      return columnSql(key, value, types.get(key) ?? 'string')
    }),
  )
}

function columnSql(name: string, value: unknown, type: ColumnType | 'id'): string {
  if (Array.isArray(value)) return listSql(name, value, type)
  if (typeof value !== 'object' || value === null) return conditionSql(name, 'eq', value, type)
  return allOf(
    Object.entries(value).map(([operator, operand]) => conditionSql(name, operator, operand, type)),
  )
}

const COMPARISONS: Readonly<Record<string, string>> = {
  eq: '=',
  ne: '<>',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
  like: 'LIKE',
}

function conditionSql(name: string, operator: string, operand: unknown, type: ColumnType | 'id'): string {
  if (operator === 'in') return listSql(name, operand as unknown[], type)
  // read-filters.ts: `null` is IS NULL, its opposite IS NOT NULL.
  if (operand === null) return operator === 'eq' ? `(${name} IS NULL)` : `(${name} IS NOT NULL)`
  // LIKE without ESCAPE: nothing escapes, in DuckDB as with us.
  return `(${name} ${COMPARISONS[operator]} ${literal(operand, type)})`
}

/** read-filters.ts: null in a list is IS NULL, and a list of no values holds no row, null or not: it is false, never unknown. */
function listSql(name: string, values: readonly unknown[], type: ColumnType | 'id'): string {
  const literals = values.filter((each) => each !== null).map((each) => literal(each, type))
  const within = literals.length === 0 ? 'FALSE' : `${name} IN (${literals.join(', ')})`
  return values.includes(null) ? `(${within} OR ${name} IS NULL)` : `(${within})`
}

function literal(value: unknown, type: ColumnType | 'id'): string {
  if (type === 'bool') return value === true ? 'TRUE' : 'FALSE'
  if (type === 'float64') return `'${value}'::DOUBLE` // A bare 0.1 would be a DECIMAL.
  if (type === 'int64' || type === 'timestamp') return `${value}::BIGINT`
  return `'${String(value).replaceAll("'", "''")}'`
}

const allOf = (conditions: readonly string[]): string => `(${conditions.join(' AND ')})`
const quoted = (name: string): string => `"${name}"`
const shownType = (type: ColumnType | 'id' | undefined): ColumnType =>
  type === undefined || type === 'id' ? 'string' : type
