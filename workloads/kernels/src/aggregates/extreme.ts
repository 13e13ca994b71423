import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { type Column, isValid, type WireType } from '@truenow/contracts/wire/column.ts'
import { compareText } from '../columns/text-order.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'
import { stateColumn } from './state-column.ts'

export type Scalar = string | number
/** Ids are text in partial results: 16 bytes of a hashed one could not be turned back. */
export type ScalarType = Exclude<WireType, 'int128' | 'id128' | 'bytes'>
type NumberType = Exclude<ScalarType, 'string'>

/** MIN (sign -1) or MAX (sign 1) of a column of any type; null over no values. Text is ordered by code points, false < true. */
export function extremeAccumulator(type: ScalarType, sign: -1 | 1): Accumulator {
  return type === 'string' ? textExtremes(sign) : numberExtremes(type, sign)
}

function textExtremes(sign: -1 | 1): Accumulator {
  const best: Array<string | undefined> = []
  const offerAll = (column: Column, rows: Uint32Array | undefined, groups: Uint32Array, count: number) => {
    for (let index = 0; index < count; index++) {
      const row = rows === undefined ? index : rows[index]!
      if (!isValid(column, row)) continue
      const [held, value] = [best[groups[index]!], String(scalarAt(column, row))]
      if (held === undefined || compareText(value, held) * sign > 0) best[groups[index]!] = value
    }
  }
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column !== undefined) offerAll(column, rows, groups, count)
    },
    merge: (state, groups, count) =>
      offerAll(stateColumn(state, 'value', 'string'), undefined, groups, count),
    columns: (groups) => [{ name: 'value', column: columnOf('string', best, groups) }],
  }
}

/** Values are finite, so that what an infinity stands for is a group without one. */
function numberExtremes(type: NumberType, sign: -1 | 1): Accumulator {
  const best = new GrowingNumbers(sign * Number.NEGATIVE_INFINITY)
  const offerAll = (column: Column, rows: Uint32Array | undefined, groups: Uint32Array, count: number) => {
    for (let index = 0; index < count; index++) {
      const row = rows === undefined ? index : rows[index]!
      if (!isValid(column, row)) continue
      const value = Number(scalarAt(column, row))
      if (value * sign > best.values[groups[index]!]! * sign) best.values[groups[index]!] = value
    }
  }
  return {
    reserve: (groups) => best.reserve(groups),
    update: (column, rows, groups, count) => {
      if (column !== undefined) offerAll(column, rows, groups, count)
    },
    merge: (state, groups, count) => offerAll(stateColumn(state, 'value', type), undefined, groups, count),
    columns: (groups) => [{ name: 'value', column: finiteColumn(type, best.take(groups)) }],
  }
}

/** A column of the given numbers, of which the infinite ones are null. */
function finiteColumn(type: NumberType, values: Float64Array): Column {
  const validity = new Uint8Array(Math.ceil(values.length / 8))
  let nulls = 0
  for (let row = 0; row < values.length; row++) {
    if (Number.isFinite(values[row]!)) validity[row >>> 3]! |= 1 << (row & 7)
    else {
      values[row] = 0
      nulls += 1
    }
  }
  const column: Column = type === 'bool' ? { type, values: Uint8Array.from(values) } : { type, values }
  return nulls === 0 ? column : { ...column, validity }
}

/** The value of a valid row: ids as their text, booleans as 0 and 1. */
export function scalarAt(column: Column, row: number): Scalar {
  switch (column.type) {
    case 'string':
      return column.dictionary.at(column.codes[row]!)!
    case 'id128':
      return decodeEventId(column.values, row * 16)
    case 'int128':
    case 'bytes':
      throw new TypeError(`${column.type} is a type of partial results, not of columns`)
    default: {
      const value = column.values[row]!
      return value === 0 ? 0 : value // Else which of -0 and 0 came first would show.
    }
  }
}

/** A column of the given scalars; undefined is null. */
export function columnOf(
  type: ScalarType,
  values: ReadonlyArray<Scalar | undefined>,
  rowCount: number,
): Column {
  const validity = new Uint8Array(Math.ceil(rowCount / 8))
  let nulls = 0
  for (let row = 0; row < rowCount; row++) {
    if (values[row] === undefined) nulls += 1
    else validity[row >>> 3]! |= 1 << (row & 7)
  }
  const column = withValues(type, values, rowCount)
  return nulls === 0 ? column : { ...column, validity }
}

function withValues(type: ScalarType, values: ReadonlyArray<Scalar | undefined>, rowCount: number): Column {
  switch (type) {
    case 'string': {
      const codeOf = new Map<string, number>()
      const codes = new Uint32Array(rowCount)
      for (let row = 0; row < rowCount; row++) {
        const text = String(values[row] ?? '')
        const code = codeOf.get(text) ?? codeOf.size
        codeOf.set(text, code)
        codes[row] = code
      }
      return { type, codes, dictionary: [...codeOf.keys()] }
    }
    case 'bool':
      return { type, values: Uint8Array.from({ length: rowCount }, (_, row) => Number(values[row] ?? 0)) }
    default:
      return { type, values: Float64Array.from({ length: rowCount }, (_, row) => Number(values[row] ?? 0)) }
  }
}
