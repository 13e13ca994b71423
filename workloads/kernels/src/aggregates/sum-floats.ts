import { isValid } from '@truenow/contracts/wire/column.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'

/**
 * Sum and count of a float64 column with a compensation term, so that order changes at most the last bit.
 * Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974), p. 39.
 */
export function sumFloatsAccumulator(): Accumulator {
  const [sums, compensations, counts] = [new GrowingNumbers(), new GrowingNumbers(), new GrowingNumbers()]
  const add = (group: number, value: number) => {
    const sum = sums.values[group]!
    const next = sum + value
    // Once infinite (an overflow), the terms would be NaN and hide it.
    if (Number.isFinite(next)) {
      compensations.values[group]! +=
        Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
    }
    sums.values[group] = next
  }
  return {
    reserve: (groups) => {
      for (const one of [sums, compensations, counts]) one.reserve(groups)
    },
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      if (column.type !== 'float64') throw new TypeError(`float sum over ${column.type}`)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        const group = groups[index]!
        add(group, column.values[row]!)
        counts.values[group]! += 1
      }
    },
    merge: (state, groups, count) => {
      const [from, terms, rows] = [state('sum'), state('compensation'), state('count')]
      if (from.type !== 'float64' || terms.type !== 'float64' || rows.type !== 'int64') {
        throw new TypeError('float sum state of another type')
      }
      for (let index = 0; index < count; index++) {
        const group = groups[index]!
        add(group, from.values[index]!)
        compensations.values[group]! += terms.values[index]!
        counts.values[group]! += rows.values[index]!
      }
    },
    columns: (groups) => [
      { name: 'sum', column: { type: 'float64', values: sums.take(groups) } },
      { name: 'compensation', column: { type: 'float64', values: compensations.take(groups) } },
      { name: 'count', column: { type: 'int64', values: counts.take(groups) } },
    ],
  }
}
