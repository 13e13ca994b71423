import { isValid } from '@truenow/contracts/wire/column.ts'
import { decodeHyperLogLog, encodeHyperLogLog } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import { HyperLogLog } from '../sketches/hyperloglog.ts'
import { ValueHasher } from '../sketches/value-hasher.ts'
import type { Accumulator } from './accumulator.ts'
import { SketchStates } from './sketch-states.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

const EMPTY = encodeHyperLogLog({ form: 'sparse', entries: new Uint32Array(0) })

/**
 * APPROX_COUNT_DISTINCT of a column of any type: one HyperLogLog a group. Any split in any order gives the same bytes.
 * Cost: O(rows), a dictionary entry is hashed once. Errors: TN_QUERY_LIMIT when the sketches outgrow `budget`.
 */
export function approxCountDistinctAccumulator(budget: StateBudget): Accumulator {
  const sketches = new SketchStates(() => new HyperLogLog(budget))
  const hasher = new ValueHasher()
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        hasher.ofRow(column, row)
        sketches.of(groups[index]!).add(hasher.high, hasher.low)
      }
    },
    merge: (state, groups, count) => {
      const { values } = stateColumn(state, 'sketch', 'bytes')
      for (let index = 0; index < count; index++) {
        const other = decodeHyperLogLog(values[index]!)
        if (other.form === 'sparse' && other.entries.length === 0) continue
        sketches.of(groups[index]!).merge(other)
      }
    },
    columns: (groups) => {
      const values = sketches.encode(groups, EMPTY, (sketch) => encodeHyperLogLog(sketch.state()))
      return [{ name: 'sketch', column: { type: 'bytes', values } }]
    },
  }
}
