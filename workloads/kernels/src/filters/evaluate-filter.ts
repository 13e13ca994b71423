import { decodeEventId, EVENT_ID_BYTES, encodeEventId } from '@truenow/contracts/event-id.ts'
import type { Value } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import {
  CompareOperator,
  type Comparison,
  type Filter,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { textsOf } from '@truenow/contracts/wire/dictionary.ts'
import { compareText } from '../columns/text-order.ts'
import { likePattern } from './like-pattern.ts'

/** SQL's three values, one a row. */
export const FALSE = 0
export const TRUE = 1
export const UNKNOWN = 2
export type ColumnByName = (name: string) => Column | undefined

/**
 * Judges rows [0, rowCount): FALSE, TRUE or UNKNOWN each. A column that is not there is all null (it came with a later
 * table version). Predicates over strings run once a dictionary entry.
 * Cost: O(rowCount) a comparison. Errors: none; the planner has checked names and types.
 */
export function evaluateFilter(filter: Filter, column: ColumnByName, rowCount: number): Uint8Array {
  switch (filter.kind.case) {
    case 'and':
      return fold(
        filter.kind.value.operands,
        column,
        rowCount,
        (a, b) => (a === FALSE || b === FALSE ? FALSE : a | b),
        TRUE,
      )
    case 'or':
      return fold(
        filter.kind.value.operands,
        column,
        rowCount,
        (a, b) => (a === TRUE || b === TRUE ? TRUE : a | b),
        FALSE,
      )
    case 'not': {
      const result = evaluateFilter(filter.kind.value, column, rowCount)
      for (let row = 0; row < rowCount; row++) if (result[row] !== UNKNOWN) result[row]! ^= 1
      return result
    }
    case 'comparison':
      return evaluateComparison(filter.kind.value, column(filter.kind.value.column), rowCount)
    default:
      return new Uint8Array(rowCount).fill(TRUE)
  }
}

/** `a | b` of {FALSE, TRUE, UNKNOWN} is right for what is left after the deciding value: see the callers' first test. */
function fold(
  operands: readonly Filter[],
  column: ColumnByName,
  rowCount: number,
  combine: (a: number, b: number) => number,
  neutral: number,
): Uint8Array {
  const result = new Uint8Array(rowCount).fill(neutral)
  for (const operand of operands) {
    const next = evaluateFilter(operand, column, rowCount)
    for (let row = 0; row < rowCount; row++) {
      const combined = combine(result[row]!, next[row]!)
      result[row] = Math.min(combined, UNKNOWN)
    }
  }
  return result
}

function evaluateComparison(
  comparison: Comparison,
  column: Column | undefined,
  rowCount: number,
): Uint8Array {
  const result = new Uint8Array(rowCount)
  if (comparison.operator === CompareOperator.IS_NULL) {
    if (column === undefined) return result.fill(TRUE)
    for (let row = 0; row < rowCount; row++) result[row] = isValid(column, row) ? FALSE : TRUE
    return result
  }
  // A chain of no ORs: false also for null, so that its negation keeps every row.
  if (comparison.operator === CompareOperator.IN && comparison.values.length === 0) return result
  if (column === undefined) return result.fill(UNKNOWN)
  judgeValues(comparison, column, rowCount, result)
  if (column.validity !== undefined) {
    for (let row = 0; row < rowCount; row++) if (!isValid(column, row)) result[row] = UNKNOWN
  }
  return result
}

function judgeValues(comparison: Comparison, column: Column, rowCount: number, result: Uint8Array): void {
  switch (column.type) {
    case 'string': {
      const test = textTest(comparison)
      const verdicts = Uint8Array.from(textsOf(column.dictionary), (text) => (test(text) ? TRUE : FALSE))
      for (let row = 0; row < rowCount; row++) result[row] = verdicts[column.codes[row]!]!
      return
    }
    case 'id128': {
      const test = idTest(comparison)
      for (let row = 0; row < rowCount; row++)
        result[row] = test(decodeEventId(column.values, row * 16)) ? TRUE : FALSE
      return
    }
    case 'int128':
    case 'bytes':
      throw new TypeError(`${column.type} is a type of partial results, not of columns`)
    default: {
      const test = numberTest(comparison)
      for (let row = 0; row < rowCount; row++) result[row] = test(column.values[row]!) ? TRUE : FALSE
    }
  }
}

/** What a comparison says of an id, by the text that answers show of it. It is asked for as it was sent, or as it is shown. */
function idTest({ operator, values }: Comparison): (shown: string) => boolean {
  const bytes = new Uint8Array(EVENT_ID_BYTES)
  const wanted = new Set<string>()
  for (const value of values) {
    const text = String(scalarOf(value))
    encodeEventId(text, bytes, 0)
    wanted.add(text).add(decodeEventId(bytes, 0))
  }
  // The planner refuses whatever needs an order.
  return (shown) => wanted.has(shown) === (operator !== CompareOperator.NOT_EQUAL)
}

/** What a comparison says of a text that is there. */
export function textTest({ operator, values }: Comparison): (text: string) => boolean {
  const texts = values.map((value) => String(scalarOf(value)))
  const [wanted = ''] = texts
  if (operator === CompareOperator.LIKE) return likePattern(wanted)
  if (operator === CompareOperator.IN) {
    const set = new Set(texts)
    return (text) => set.has(text)
  }
  const holds = signTest(operator)
  return (text) => holds(compareText(text, wanted))
}

/** What a comparison says of a number (a boolean as 0 or 1) that is there. */
export function numberTest({ operator, values }: Comparison): (number: number) => boolean {
  const numbers = values.map((value) => Number(scalarOf(value)))
  const [wanted = Number.NaN] = numbers
  if (operator === CompareOperator.IN) {
    const set = new Set(numbers)
    return (number) => set.has(number)
  }
  const holds = signTest(operator)
  return (number) => holds(number === wanted ? 0 : number < wanted ? -1 : 1)
}

function signTest(operator: CompareOperator): (sign: number) => boolean {
  switch (operator) {
    case CompareOperator.EQUAL:
      return (sign) => sign === 0
    case CompareOperator.NOT_EQUAL:
      return (sign) => sign !== 0
    case CompareOperator.LESS:
      return (sign) => sign < 0
    case CompareOperator.LESS_OR_EQUAL:
      return (sign) => sign <= 0
    case CompareOperator.GREATER:
      return (sign) => sign > 0
    case CompareOperator.GREATER_OR_EQUAL:
      return (sign) => sign >= 0
    default:
      throw new TypeError(`operator ${operator} does not compare`)
  }
}

export const scalarOf = (value: Value): string | number | bigint | boolean => value.kind.value ?? ''
