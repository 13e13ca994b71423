import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import { isValid } from '@truenow/contracts/wire/column.ts'
import type { Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { decodeScalarList, encodeScalarList } from '@truenow/contracts/wire/scalar-list-v1.ts'
import type { Accumulator } from './accumulator.ts'
import { type Scalar, scalarAt } from './extreme.ts'
import { PairSet } from './pair-set.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

/**
 * COUNT DISTINCT of a column of any type, exact: the values of each group, each once. Ids count by their text.
 * Cost: O(rows) expected; text is looked up once a dictionary entry. Memory: the values once, 16 to 32 bytes
 * for each value in a group. Errors: TN_QUERY_LIMIT when values (a group's each, `values`) or their bytes (`bytes`) are too many.
 */
export function countDistinctAccumulator(
  type: ColumnType,
  { values, bytes }: Readonly<{ values: StateBudget; bytes: StateBudget }>,
): Accumulator {
  const codes = new Map<Scalar, number>()
  /** Bytes of each value in a state, by its code. */
  const sizes: number[] = []
  const pairs = new PairSet()
  const codeOf = (value: Scalar): number => {
    let code = codes.get(value)
    if (code === undefined) {
      code = codes.size
      codes.set(value, code)
      sizes.push(8 + (typeof value === 'string' ? value.length : 0))
    }
    return code
  }
  /** Codes of the entries of the dictionary at hand; -1: not looked up yet. */
  let translated = new Int32Array(0)
  let dictionary: Dictionary | undefined
  const translate = (next: Dictionary): void => {
    if (next === dictionary && next.length === translated.length) return
    dictionary = next
    translated = new Int32Array(next.length).fill(-1)
  }
  /** What a value takes in the state of every group that has it. */
  const add = (group: number, code: number): void => {
    if (!pairs.add(group, code)) return
    values.take(1)
    bytes.take(sizes[code]!)
  }
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      const text = column.type === 'string' ? column : undefined
      if (text !== undefined) translate(text.dictionary)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        if (text === undefined) {
          add(groups[index]!, codeOf(scalarAt(column, row)))
          continue
        }
        const local = text.codes[row]!
        if (translated[local]! < 0) translated[local] = codeOf(text.dictionary.at(local)!)
        add(groups[index]!, translated[local]!)
      }
    },
    merge: (state, groups, count) => {
      const lists = stateColumn(state, 'sketch', 'bytes').values
      for (let index = 0; index < count; index++) {
        for (const value of decodeScalarList(type, lists[index]!)) add(groups[index]!, codeOf(value))
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
