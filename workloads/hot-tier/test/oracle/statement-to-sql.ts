import { decodeEventId, EVENT_ID_BYTES, encodeEventId } from '@truenow/contracts/event-id.ts'
import { QUERY_ROWS_DEFAULT, type QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { AGGREGATE_SQL, isExact } from './aggregate-sql.ts'
import { type Call, callsOf, outputName } from './calls-of.ts'
import { judgeExactly } from './judge-exactly.ts'
import type { Judge, JudgedOutput } from './verdict.ts'

/** Slot → offset that the answer has seen. */
export type Positions = ReadonlyMap<number, number>
/** One column of the answer, and how many columns of DuckDB's result stand for it (aggregate-sql.ts). */
export type SqlOutput = JudgedOutput &
  Readonly<{ name: string; parts: number; isExact: boolean; judge: Judge }>
export type SqlStatement = Readonly<{
  sql: string
  outputs: readonly SqlOutput[]
  /** The order of rows goes by exact values, so it is the same on both sides. */
  ordered: boolean
  /** What rows are ordered by: outputs, the ties too. */
  order: ReadonlyArray<Readonly<{ output: number; descending: boolean }>>
}>
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
  const calls = callsOf(statement)
  return calls.length === 0
    ? rowsSql(statement, types, time, where)
    : groupsSql(statement, calls, types, time, where)
}

/** README of query: rows come newest first; of equal times the lower slot, and in a slot the later row of the log. */
function rowsSql(statement: QueryStatement, types: Types, time: string, where: string): SqlStatement {
  const names = statement.columns ?? [...types.keys()]
  const limit = statement.limit ?? QUERY_ROWS_DEFAULT
  return {
    sql: `SELECT ${names.join(', ')} FROM rows WHERE ${where} ORDER BY ${time} DESC, _slot, _row DESC LIMIT ${limit}`,
    outputs: names.map((name) => exactOutput(name, shownType(types.get(name)))),
    ordered: true,
    order: [],
  }
}

function groupsSql(
  statement: QueryStatement,
  aggregates: readonly Call[],
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
  const calls = aggregates.map((call) => callSql(call, types))
  const outputs = [
    ...keys.map(({ name, type }) => exactOutput(name, type)),
    ...calls.map(({ output }) => output),
  ]
  const selected = [
    ...keys.map(({ name, sql }) => `${sql} AS ${quoted(name)}`),
    ...calls.flatMap(({ output: { name }, expressions }) =>
      expressions.map((sql, part) => `${sql} AS ${quoted(part === 0 ? name : `${name} ${part}`)}`),
    ),
  ]
  const grouped = keys.length === 0 ? '' : ` GROUP BY ${keys.map((_, at) => at + 1).join(', ')}`
  // kernels/src/query/order-rows.ts: null is last in either direction, ties go by the keys.
  const order = [
    ...(statement.order_by ?? []).map(({ column, descending }) => ({
      output: outputs.findIndex(({ name }) => name === column),
      descending: descending === true,
    })),
    ...keys.map((_, output) => ({ output, descending: false })),
  ]
  const orderSql = order.map(
    ({ output, descending }) => `${quoted(outputs[output]!.name)} ${descending ? 'DESC' : 'ASC'} NULLS LAST`,
  )
  const from = `(SELECT *, ${time} AS _time FROM rows WHERE ${where})`
  const outer = `SELECT * FROM (SELECT ${selected.join(', ')} FROM ${from}${grouped})`
  const limited = statement.limit === undefined ? '' : ` LIMIT ${statement.limit}`
  return {
    sql: `${outer}${orderSql.length === 0 ? '' : ` ORDER BY ${orderSql.join(', ')}`}${limited}`,
    outputs,
    ordered: order.every(({ output }) => outputs[output]!.isExact),
    order,
  }
}

function callSql(call: Call, types: Types): Readonly<{ output: SqlOutput; expressions: readonly string[] }> {
  const { aggregate, metric } = call
  const name = outputName(call)
  if (metric === undefined) return { output: exactOutput(name, 'int64'), expressions: ['count(*)'] }
  const own = types.get(metric) ?? 'string'
  const { gives, of } = AGGREGATE_SQL[aggregate]
  const parts = of(metric, own, call)
  const { expressions, judge } = parts
  const type = gives === 'own' ? shownType(own) : gives
  return {
    output: { name, type, call, parts: expressions.length, isExact: isExact(parts), judge },
    expressions,
  }
}

const exactOutput = (name: string, type: ColumnType): SqlOutput => ({
  name,
  type,
  parts: 1,
  isExact: true,
  judge: judgeExactly,
})

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
}

function conditionSql(name: string, operator: string, operand: unknown, type: ColumnType | 'id'): string {
  if (operator === 'in') return listSql(name, operand as unknown[], type)
  // read-filters.ts: `null` is IS NULL, its opposite IS NOT NULL.
  if (operand === null) return operator === 'eq' ? `(${name} IS NULL)` : `(${name} IS NOT NULL)`
  // LIKE without ESCAPE: nothing escapes, in DuckDB as with us. It makes a range of a prefix by adding to its last byte, and
  // refuses what is no UTF-8 then ('😀%'): not so behind an expression.
  if (operator === 'like') return `((${name} || '') LIKE ${literal(operand, type)})`
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
  return `'${(type === 'id' ? shownId(String(value)) : String(value)).replaceAll("'", "''")}'`
}

/** Longer ids are shown by their hash. */
export function shownId(id: string): string {
  const bytes = new Uint8Array(EVENT_ID_BYTES)
  encodeEventId(id, bytes, 0)
  return decodeEventId(bytes, 0)
}

const allOf = (conditions: readonly string[]): string => `(${conditions.join(' AND ')})`
const quoted = (name: string): string => `"${name}"`
const shownType = (type: ColumnType | 'id' | undefined): ColumnType =>
  type === undefined || type === 'id' ? 'string' : type
