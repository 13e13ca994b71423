import { isValid } from '@truenow/contracts/wire/column.ts'
import { decodeHyperLogLog, encodeHyperLogLog } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import { HyperLogLog } from '../sketches/hyperloglog.ts'
import { ValueHasher } from '../sketches/value-hasher.ts'
import type { Accumulator } from './accumulator.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

const EMPTY = encodeHyperLogLog({ form: 'sparse', entries: new Uint32Array(0) })

/**
 * APPROX_COUNT_DISTINCT of a column of any type: one HyperLogLog a group. Any split in any order gives the same bytes.
 * Cost: O(rows), a dictionary entry is hashed once. Errors: TN_QUERY_LIMIT when the sketches outgrow `budget`.
 */
export function approxCountDistinctAccumulator(budget: StateBudget): Accumulator {
  const sketches: Array<HyperLogLog | undefined> = []
  const hasher = new ValueHasher()
  const sketchOf = (group: number): HyperLogLog => {
    const held = sketches[group]
    if (held !== undefined) return held
    const fresh = new HyperLogLog(budget)
    sketches[group] = fresh
    return fresh
  }
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        hasher.ofRow(column, row)
        sketchOf(groups[index]!).add(hasher.high, hasher.low)
      }
    },
    merge: (state, groups, count) => {
      const { values } = stateColumn(state, 'sketch', 'bytes')
      for (let index = 0; index < count; index++) {
        const other = decodeHyperLogLog(values[index]!)
        if (other.form === 'sparse' && other.entries.length === 0) continue
        sketchOf(groups[index]!).merge(other)
      }
    },
    columns: (groups) => {
      const values = Array.from({ length: groups }, (_, group) => {
        const sketch = sketches[group]
        return sketch === undefined ? EMPTY : encodeHyperLogLog(sketch.state())
      })
      return [{ name: 'sketch', column: { type: 'bytes', values } }]
    },
  }
}
