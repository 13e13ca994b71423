import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import { isValid } from '@truenow/contracts/wire/column.ts'
import { decodeTopK, encodeTopK } from '@truenow/contracts/wire/top-k-v1.ts'
import { TopK } from '../sketches/top-k.ts'
import { ValueHasher } from '../sketches/value-hasher.ts'
import type { Accumulator } from './accumulator.ts'
import { scalarAt } from './extreme.ts'
import { SketchStates } from './sketch-states.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

/**
 * TOP_K of a column of any type: its most frequent values in each group. Ids count by their text.
 * Cost: O(rows), a dictionary entry is hashed once. Errors: TN_QUERY_LIMIT when the states outgrow `budget`.
 */
export function topKAccumulator(type: ColumnType, budget: StateBudget): Accumulator {
  const hasher = new ValueHasher()
  const states = new SketchStates(() => new TopK(budget, hasher))
  const empty = encodeTopK(type, { form: 'exact', counts: new Map() })
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        const state = states.of(groups[index]!)
        const value = scalarAt(column, row)
        if (state.hashes) {
          if (column.type === 'id128') hasher.ofText(String(value))
          else hasher.ofRow(column, row)
        }
        state.add(value, 1)
      }
    },
    merge: (state, groups, count) => {
      const { values } = stateColumn(state, 'sketch', 'bytes')
      for (let index = 0; index < count; index++) {
        const other = decodeTopK(type, values[index]!)
        if (other.form === 'sketch' || other.counts.size > 0) states.of(groups[index]!).merge(other)
      }
    },
    columns: (groups) => {
      const values = states.encode(groups, empty, (top) => encodeTopK(type, top.state()))
      return [{ name: 'sketch', column: { type: 'bytes', values } }]
    },
  }
}
