import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { type Column, isValid, type WireType } from '@truenow/contracts/wire/column.ts'
import { compareText } from '../columns/text-order.ts'
import type { Accumulator } from './accumulator.ts'

export type Scalar = string | number
/** Ids are text in partial results: 16 bytes of a hashed one could not be turned back. */
export type ScalarType = Exclude<WireType, 'int128' | 'id128' | 'bytes'>

/** MIN (sign -1) or MAX (sign 1) of a column of any type; null over no values. Text is ordered by code points, false < true. */
export function extremeAccumulator(type: ScalarType, sign: -1 | 1): Accumulator {
  const best: Array<Scalar | undefined> = []
  const offer = (group: number, value: Scalar) => {
    const held = best[group]
    if (held === undefined || compare(value, held) * sign > 0) best[group] = value
  }
  const offerAll = (column: Column, rows: Uint32Array | undefined, groups: Uint32Array, count: number) => {
    for (let index = 0; index < count; index++) {
      const row = rows === undefined ? index : rows[index]!
      if (isValid(column, row)) offer(groups[index]!, scalarAt(column, row))
    }
  }
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column !== undefined) offerAll(column, rows, groups, count)
    },
    merge: (state, groups, count) => offerAll(state('value'), undefined, groups, count),
    columns: (groups) => [{ name: 'value', column: columnOf(type, best, groups) }],
  }
}

const compare = (a: Scalar, b: Scalar): number =>
  typeof a === 'string' ? compareText(a, String(b)) : a < Number(b) ? -1 : a > Number(b) ? 1 : 0

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
