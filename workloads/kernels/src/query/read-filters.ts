import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ValueSchema } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import {
  CompareOperator,
  type ComparisonSchema,
  type FilterSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { QUERY_FILTER_DEPTH_MAX, QUERY_FILTER_VALUES_MAX } from '@truenow/contracts/query-statement.ts'
import { limitError, statementError, unknownColumn } from './statement-error.ts'
import type { QueryColumn } from './table-columns.ts'

export type FilterInit = MessageInitShape<typeof FilterSchema>
type ValueInit = MessageInitShape<typeof ValueSchema>
type Columns = ReadonlyMap<string, QueryColumn>
/** Values read so far, over the whole tree. */
type Budget = { values: number }

const OPERATORS: Readonly<Record<string, CompareOperator>> = {
  eq: CompareOperator.EQUAL,
  ne: CompareOperator.NOT_EQUAL,
  lt: CompareOperator.LESS,
  lte: CompareOperator.LESS_OR_EQUAL,
  gt: CompareOperator.GREATER,
  gte: CompareOperator.GREATER_OR_EQUAL,
  in: CompareOperator.IN,
  like: CompareOperator.LIKE,
}
const ORDERED = new Set(['lt', 'lte', 'gt', 'gte'])

/**
 * The `filters` of a statement as a typed tree; undefined = every row. One object is a conjunction: a key is a column
 * (value, list or condition), or `and`, `or` (lists of such objects), or `not` (one such object).
 * `null` is IS NULL, also inside a list; every other comparison with NULL is unknown and keeps no row, as in SQL.
 * Errors: TN_COLUMN_UNKNOWN, TN_QUERY_INVALID, TN_QUERY_LIMIT, each with the path.
 */
export function readFilters(filters: unknown, columns: Columns): FilterInit | undefined {
  if (filters === undefined) return undefined
  if (isObject(filters) && Object.keys(filters).length === 0) return undefined
  return readTree(filters, columns, 'filters', 1, { values: 0 })
}

function readTree(tree: unknown, columns: Columns, path: string, depth: number, budget: Budget): FilterInit {
  if (depth > QUERY_FILTER_DEPTH_MAX) {
    throw limitError(path, 'QUERY_FILTER_DEPTH_MAX', QUERY_FILTER_DEPTH_MAX, depth)
  }
  if (!isObject(tree)) {
    throw statementError(path, `must be an object such as {"region":"us-east"}, not ${kindOf(tree)}.`)
  }
  const operands = Object.entries(tree).map(([key, value]): FilterInit => {
    const place = `${path}.${key.slice(0, 64)}`
    if (key === 'not')
      return { kind: { case: 'not', value: readTree(value, columns, place, depth + 1, budget) } }
    if (key !== 'and' && key !== 'or') return readColumn(key, value, columns, place, budget)
    if (!Array.isArray(value) || value.length === 0) {
      throw statementError(place, `must be a list of at least one filter object, not ${kindOf(value)}.`)
    }
    const trees = value.map((each, at) => readTree(each, columns, `${place}[${at}]`, depth + 1, budget))
    return { kind: { case: key, value: { operands: trees } } }
  })
  if (operands.length === 0) throw statementError(path, 'is empty; name a column or leave it out.')
  return conjunction(operands)
}

function readColumn(
  name: string,
  value: unknown,
  columns: Columns,
  path: string,
  budget: Budget,
): FilterInit {
  const column = columns.get(name)
  if (column === undefined) throw unknownColumn(path, name, columns.keys())
  if (Array.isArray(value)) return readList(column, value, path, budget)
  if (!isObject(value)) return readComparison(column, 'eq', value, path, budget)
  const conditions = Object.entries(value).map(([key, operand]) => {
    const place = `${path}.${key.slice(0, 64)}`
    if (key !== 'in') return readComparison(column, key, operand, place, budget)
    if (!Array.isArray(operand)) throw statementError(place, `must be a list, not ${kindOf(operand)}.`)
    return readList(column, operand, place, budget)
  })
  if (conditions.length === 0) {
    throw statementError(path, `is an empty condition; use ${Object.keys(OPERATORS).join(', ')}.`)
  }
  return conjunction(conditions)
}

function readList(column: QueryColumn, list: readonly unknown[], path: string, budget: Budget): FilterInit {
  spend(budget, list.length, path)
  const values = list.flatMap((each, at) =>
    each === null ? [] : [readValue(column, each, `${path}[${at}]`)],
  )
  const within = compare(column, CompareOperator.IN, values)
  if (!list.includes(null)) return within
  return { kind: { case: 'or', value: { operands: [within, compare(column, CompareOperator.IS_NULL, [])] } } }
}

function readComparison(
  column: QueryColumn,
  key: string,
  operand: unknown,
  path: string,
  budget: Budget,
): FilterInit {
  const operator = Object.hasOwn(OPERATORS, key) ? OPERATORS[key] : undefined
  if (operator === undefined) {
    throw statementError(path, `no such condition; use ${Object.keys(OPERATORS).join(', ')}.`)
  }
  spend(budget, 1, path)
  if (operand === null && (key === 'eq' || key === 'ne')) {
    const isNull = compare(column, CompareOperator.IS_NULL, [])
    return key === 'eq' ? isNull : { kind: { case: 'not', value: isNull } }
  }
  if (ORDERED.has(key) && (column.type === 'bool' || column.type === 'id')) {
    throw statementError(path, `column '${column.name}' has no order; use eq, ne or in.`)
  }
  if (key === 'like' && column.type !== 'string') {
    throw statementError(path, `like needs a string column; '${column.name}' is ${typeName(column)}.`)
  }
  return compare(column, operator, [readValue(column, operand, path)])
}

function readValue(column: QueryColumn, value: unknown, path: string): ValueInit {
  const fits = (ok: boolean, rule: string) => {
    if (!ok) throw statementError(path, `column '${column.name}' is ${typeName(column)}: ${rule}`)
  }
  switch (column.type) {
    case 'string':
    case 'id':
      fits(typeof value === 'string', `give a string, not ${kindOf(value)}.`)
      // Half a surrogate pair has no UTF-8: sent on, it would turn into U+FFFD and match another text.
      fits((value as string).isWellFormed(), 'the text holds half a surrogate pair.')
      return { kind: { case: 'stringValue', value: value as string } }
    case 'bool':
      fits(typeof value === 'boolean', `give true or false, not ${kindOf(value)}.`)
      return { kind: { case: 'boolValue', value: value as boolean } }
    case 'float64':
      fits(typeof value === 'number' && Number.isFinite(value), `give a finite number, not ${kindOf(value)}.`)
      return { kind: { case: 'float64Value', value: value as number } }
    default: {
      const rule = `give an integer between -(2^53 - 1) and 2^53 - 1, not ${kindOf(value)}.`
      fits(Number.isSafeInteger(value), rule)
      const whole = BigInt(value as number)
      return {
        kind:
          column.type === 'int64'
            ? { case: 'int64Value', value: whole }
            : { case: 'timestampUs', value: whole },
      }
    }
  }
}

function spend(budget: Budget, count: number, path: string): void {
  budget.values += count
  if (budget.values > QUERY_FILTER_VALUES_MAX) {
    throw limitError(path, 'QUERY_FILTER_VALUES_MAX', QUERY_FILTER_VALUES_MAX, budget.values)
  }
}

function compare(column: QueryColumn, operator: CompareOperator, values: ValueInit[]): FilterInit {
  const comparison: MessageInitShape<typeof ComparisonSchema> = { column: column.name, operator, values }
  return { kind: { case: 'comparison', value: comparison } }
}

function conjunction(operands: FilterInit[]): FilterInit {
  const [first, second] = operands
  return first !== undefined && second === undefined ? first : { kind: { case: 'and', value: { operands } } }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const typeName = (column: QueryColumn): string =>
  column.type === 'id' ? 'the event id (string)' : column.type

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'number') return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
