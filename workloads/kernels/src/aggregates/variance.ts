import { isValid } from '@truenow/contracts/wire/column.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'
import { stateColumn } from './state-column.ts'

/**
 * Count, mean and sum of squared distances from the mean of an int64 or float64 column: the state of VAR_* and STDDEV_*.
 * No sum of squares is ever made, so what the values have in common cancels nothing.
 * Cost: O(rows), one division a row. Error: relative, about rows × 2^-53 × (root mean square / standard deviation); a
 * value beyond the range of a double makes the state NaN or infinite, which finalizing reports.
 * Source: update: Welford, Technometrics 4 (1962), p. 419; merge: Chan, Golub and LeVeque, STAN-CS-79-773 (1979).
 */
export function varianceAccumulator(): Accumulator {
  const [counts, means, m2s] = [new GrowingNumbers(), new GrowingNumbers(), new GrowingNumbers()]
  return {
    reserve: (groups) => {
      for (const one of [counts, means, m2s]) one.reserve(groups)
    },
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      if (column.type !== 'float64' && column.type !== 'int64')
        throw new TypeError(`variance over ${column.type}`)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        const group = groups[index]!
        const value = column.values[row]!
        const known = counts.values[group]! + 1
        const delta = value - means.values[group]!
        const mean = means.values[group]! + delta / known
        counts.values[group] = known
        means.values[group] = mean
        m2s.values[group]! += delta * (value - mean)
      }
    },
    merge: (state, groups, count) => {
      const rows = stateColumn(state, 'count', 'int64').values
      const mean = stateColumn(state, 'mean', 'float64').values
      const m2 = stateColumn(state, 'm2', 'float64').values
      for (let index = 0; index < count; index++) {
        const added = rows[index]!
        if (added === 0) continue
        const group = groups[index]!
        const held = counts.values[group]!
        const total = held + added
        const delta = mean[index]! - means.values[group]!
        counts.values[group] = total
        means.values[group] = held === 0 ? mean[index]! : means.values[group]! + delta * (added / total)
        m2s.values[group]! += held === 0 ? m2[index]! : m2[index]! + delta * delta * ((held * added) / total)
      }
    },
    columns: (groups) => [
      { name: 'count', column: { type: 'int64', values: counts.take(groups) } },
      { name: 'mean', column: { type: 'float64', values: means.take(groups) } },
      { name: 'm2', column: { type: 'float64', values: m2s.take(groups) } },
    ],
  }
}
