import { isValid } from '@truenow/contracts/wire/column.ts'
import { decodeTDigest, encodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import { TDigest } from '../sketches/t-digest.ts'
import type { Accumulator } from './accumulator.ts'
import { SketchStates } from './sketch-states.ts'
import type { StateBudget } from './state-budget.ts'
import { stateColumn } from './state-column.ts'

const NONE = new Float64Array(0)
const EMPTY = encodeTDigest({ min: 0, max: 0, means: NONE, weights: NONE })

/**
 * QUANTILE of an int64 or float64 column: one t-digest a group. A plan visits rows by bucket, slot and log order and
 * merges in slot order, so equal cuts on equal shards give equal bits; another placement stays within the bound.
 * Cost: O(rows log buffer). Errors: TN_QUERY_LIMIT when the digests outgrow `budget`.
 */
export function quantileAccumulator(budget: StateBudget): Accumulator {
  const digests = new SketchStates(() => new TDigest(budget))
  return {
    reserve: () => {},
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      if (column.type !== 'float64' && column.type !== 'int64')
        throw new TypeError(`quantile over ${column.type}`)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (isValid(column, row)) digests.of(groups[index]!).add(column.values[row]!)
      }
    },
    merge: (state, groups, count) => {
      const { values } = stateColumn(state, 'sketch', 'bytes')
      for (let index = 0; index < count; index++) {
        const other = decodeTDigest(values[index]!)
        if (other.means.length > 0) digests.of(groups[index]!).merge(other)
      }
    },
    columns: (groups) => {
      const values = digests.encode(groups, EMPTY, (digest) => encodeTDigest(digest.state()))
      return [{ name: 'sketch', column: { type: 'bytes', values } }]
    },
  }
}
