import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { decodeScalarList, encodeScalarList } from '@truenow/contracts/wire/scalar-list-v1.ts'
import type { Accumulator } from './accumulator.ts'
import { type Scalar, scalarAt } from './extreme.ts'
import { PairSet } from './pair-set.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

/**
 * COUNT DISTINCT of a column of any type, exact: the values of each group, each once. Ids count by their text.
 * Cost: O(rows) expected; text is looked up once a dictionary entry and update. Memory: the values once, 16 to 32 bytes
 * for each value in a group. Errors: TN_QUERY_LIMIT when values (a group's each, `values`) or their bytes (`bytes`) are too many.
 */
export function countDistinctAccumulator(
  type: ColumnType,
  { values, bytes }: Readonly<{ values: StateBudget; bytes: StateBudget }>,
): Accumulator {
  const codes = new Map<Scalar, number>()
  const pairs = new PairSet()
  const codeOf = (value: Scalar): number => {
    let code = codes.get(value)
    if (code === undefined) {
      code = codes.size
      codes.set(value, code)
    }
    return code
  }
  /** What a value takes in the state of every group that has it. */
  const add = (group: number, code: number, value: Scalar): void => {
    if (!pairs.add(group, code)) return
    values.take(1)
    bytes.take(8 + (typeof value === 'string' ? value.length : 0))
  }
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      const codeAt = coder(column, codeOf)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        const value =
          column.type === 'string' ? column.dictionary[column.codes[row]!]! : scalarAt(column, row)
        add(groups[index]!, codeAt(row, value), value)
      }
    },
    merge: (state, groups, count) => {
      const lists = stateColumn(state, 'sketch', 'bytes').values
      for (let index = 0; index < count; index++) {
        for (const value of decodeScalarList(type, lists[index]!)) add(groups[index]!, codeOf(value), value)
      }
    },
    columns: (groups) => {
      const known = [...codes.keys()]
      const members: Scalar[][] = Array.from({ length: groups }, () => [])
      pairs.forEach((group, code) => {
        members[group]!.push(known[code]!)
      })
      const lists = members.map((own) => encodeScalarList(type, own))
      return [{ name: 'sketch', column: { type: 'bytes', values: lists } }]
    },
  }
}

/** The code of a row's value; of text found by its code in the dictionary. */
function coder(column: Column, codeOf: (value: Scalar) => number): (row: number, value: Scalar) => number {
  if (column.type !== 'string') return (_row, value) => codeOf(value)
  const { codes, dictionary } = column
  const translated = new Int32Array(dictionary.length).fill(-1)
  return (row, value) => {
    const local = codes[row]!
    if (translated[local]! < 0) translated[local] = codeOf(value)
    return translated[local]!
  }
}
