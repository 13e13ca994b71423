import { isValid } from '@truenow/contracts/wire/column.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'

/** COUNT(*) with `ofRows`, else COUNT(column): values that are not null. Exact below 2^53 rows. */
export function countAccumulator(ofRows: boolean): Accumulator {
  const counts = new GrowingNumbers()
  return {
    reserve: (groups) => counts.reserve(groups),
    update: (column, rows, groups, count) => {
      const { values } = counts
      if (ofRows || (column !== undefined && column.validity === undefined)) {
        for (let index = 0; index < count; index++) values[groups[index]!]! += 1
      } else if (column !== undefined) {
        for (let index = 0; index < count; index++)
          if (isValid(column, rows[index]!)) values[groups[index]!]! += 1
      }
    },
    merge: (state, groups, count) => {
      const from = state('count')
      if (from.type !== 'int64') throw new TypeError(`count state of type ${from.type}`)
      for (let index = 0; index < count; index++) counts.values[groups[index]!]! += from.values[index]!
    },
    columns: (groups) => [{ name: 'count', column: { type: 'int64', values: counts.take(groups) } }],
  }
}
