import { hasBit } from './bitmap-bits.ts'
import type { GroupAggregateKernels, OptionalPointer, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { addCompensated } from './two-sum.ts'

/** 1.5 · 2^84: what is added to it is rounded to a multiple of 2^32. */
const SIGMA = 1.5 * 2 ** 84

/** Calls `take` with value and first state cell of every selected row. */
function eachRow(
  memory: MemoryViews,
  [values, groups, n, selection, states]: readonly [Pointer, Pointer, number, OptionalPointer, Pointer],
  take: (value: number, at: number) => void,
): void {
  for (let row = 0; row < n; row++) {
    if (!hasBit(memory, selection, row)) continue
    take(memory.f64[values / 8 + row]!, states / 8 + 3 * memory.u32[groups / 4 + row]!)
  }
}

/** Twin of assembly/group-aggregates.ts. */
export const groupAggregates = (views: () => MemoryViews): GroupAggregateKernels => ({
  groupCount: (groups, n, selection, counts) => {
    const memory = views()
    for (let row = 0; row < n; row++) {
      if (hasBit(memory, selection, row)) memory.f64[counts / 8 + memory.u32[groups / 4 + row]!]! += 1
    }
  },
  groupSumF64: (...rows) => {
    const memory = views()
    eachRow(memory, rows, (value, at) => {
      addCompensated(memory.f64, at, value)
      memory.f64[at + 2]! += 1
    })
  },
  groupSumI64: (...rows) => {
    const memory = views()
    eachRow(memory, rows, (value, at) => {
      const high = value + SIGMA - SIGMA
      memory.i64[at]! += BigInt(high / 2 ** 32)
      memory.i64[at + 1]! += BigInt(value - high)
      memory.i64[at + 2]! += 1n
    })
  },
  groupMinMaxF64: (...rows) => {
    const memory = views()
    const { f64 } = memory
    eachRow(memory, rows, (value, at) => {
      if (value < f64[at]!) f64[at] = value + 0
      if (value > f64[at + 1]!) f64[at + 1] = value + 0
      f64[at + 2]! += 1
    })
  },
})
