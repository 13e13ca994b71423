import { isValid } from '@truenow/contracts/wire/column.ts'
import { WideIntegers } from '@truenow/contracts/wire/int128s.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'

/** Below this, one more safe integer still adds exactly. */
const SPILL_AT = 2 ** 52

/**
 * Sum and count of an int64 column, exact whatever the size: a double carries the sum while it is exact, and spills into a
 * bigint before it would round. Serves SUM and AVG.
 */
export function sumIntegersAccumulator(): Accumulator {
  const [low, counts] = [new GrowingNumbers(), new GrowingNumbers()]
  const high: bigint[] = []
  const spill = (group: number) => {
    high[group] = (high[group] ?? 0n) + BigInt(low.values[group]!)
    low.values[group] = 0
  }
  const add = (group: number, value: number) => {
    if (Math.abs(low.values[group]!) >= SPILL_AT || Math.abs(value) >= SPILL_AT) spill(group)
    if (Math.abs(value) >= SPILL_AT) high[group] = (high[group] ?? 0n) + BigInt(value)
    else low.values[group]! += value
  }
  return {
    reserve: (groups) => {
      low.reserve(groups)
      counts.reserve(groups)
    },
    update: (column, rows, groups, count) => {
      if (column === undefined) return
      if (column.type !== 'int64') throw new TypeError(`integer sum over ${column.type}`)
      for (let index = 0; index < count; index++) {
        const row = rows[index]!
        if (!isValid(column, row)) continue
        const group = groups[index]!
        add(group, column.values[row]!)
        counts.values[group]! += 1
      }
    },
    merge: (state, groups, count) => {
      const [sums, from] = [state('sum'), state('count')]
      if (sums.type !== 'int128' || from.type !== 'int64')
        throw new TypeError('integer sum state of another type')
      const wide = WideIntegers.of(sums.values, count)
      for (let index = 0; index < count; index++) {
        const group = groups[index]!
        const sum = wide.safeAt(index)
        if (Number.isNaN(sum)) high[group] = (high[group] ?? 0n) + wide.at(index)!
        else add(group, sum)
        counts.values[group]! += from.values[index]!
      }
    },
    columns: (groups) => {
      const values = WideIntegers.zeros(groups)
      for (let group = 0; group < groups; group++) {
        const above = high.length === 0 ? undefined : high[group]
        if (above === undefined) values.setSafe(group, low.values[group]!)
        else values.set(group, above + BigInt(low.values[group]!))
      }
      return [
        { name: 'sum', column: { type: 'int128', values } },
        { name: 'count', column: { type: 'int64', values: counts.take(groups) } },
      ]
    },
  }
}
