import { isValid } from '@truenow/contracts/wire/column.ts'
import { type Accumulator, GrowingNumbers } from './accumulator.ts'
import { columnOf, type Scalar, type ScalarType, scalarAt } from './extreme.ts'
import { stateColumn } from './state-column.ts'

/**
 * FIRST (sign -1) or LAST (sign 1): the value, not null, of the least or greatest event time, of a column of any type. Of
 * equal times the lower slot wins, then FIRST takes the earlier and LAST the later row of the log, so that LAST is the
 * value of the newest row as row answers order them. Exact; no two rows are equal, so any order of merging agrees.
 * Cost: O(rows) comparisons; a value is read only when its row wins.
 */
export function firstLastAccumulator(type: ScalarType, sign: -1 | 1): Accumulator {
  const best: Array<Scalar | undefined> = []
  const [times, slots, rowNumbers] = [new GrowingNumbers(), new GrowingNumbers(), new GrowingNumbers()]
  const wins = (group: number, timeUs: number, slot: number, rowNumber: number): boolean => {
    if (best[group] === undefined) return true
    const later = (timeUs - times.values[group]!) * sign
    if (later !== 0) return later > 0
    if (slot !== slots.values[group]!) return slot < slots.values[group]!
    return (rowNumber - rowNumbers.values[group]!) * sign > 0
  }
  const take = (group: number, value: Scalar, timeUs: number, slot: number, rowNumber: number): void => {
    best[group] = value
    times.values[group] = timeUs
    slots.values[group] = slot
    rowNumbers.values[group] = rowNumber
  }
  return {
    reserve: (groups) => {
      for (const one of [times, slots, rowNumbers]) one.reserve(groups)
    },
    update: (column, rows, groups, count, places) => {
      if (column === undefined) return
      const { slot } = places
      for (let index = 0; index < count; index++) {
        const [row, group] = [rows[index]!, groups[index]!]
        const [timeUs, rowNumber] = [places.times[row]!, places.rowNumbers[row]!]
        if (!isValid(column, row) || !wins(group, timeUs, slot, rowNumber)) continue
        take(group, scalarAt(column, row), timeUs, slot, rowNumber)
      }
    },
    merge: (state, groups, count) => {
      const values = stateColumn(state, 'value', type)
      const timesUs = stateColumn(state, 'time', 'timestamp').values
      const [fromSlots, fromRows] = [stateColumn(state, 'slot', 'int64'), stateColumn(state, 'row', 'int64')]
      for (let index = 0; index < count; index++) {
        const group = groups[index]!
        const [timeUs, slot, rowNumber] = [timesUs[index]!, fromSlots.values[index]!, fromRows.values[index]!]
        if (!isValid(values, index) || !wins(group, timeUs, slot, rowNumber)) continue
        take(group, scalarAt(values, index), timeUs, slot, rowNumber)
      }
    },
    columns: (groups) => [
      { name: 'value', column: columnOf(type, best, groups) },
      { name: 'time', column: { type: 'timestamp', values: times.take(groups) } },
      { name: 'slot', column: { type: 'int64', values: slots.take(groups) } },
      { name: 'row', column: { type: 'int64', values: rowNumbers.take(groups) } },
    ],
  }
}
