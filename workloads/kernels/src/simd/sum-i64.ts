import { hasBit } from './bitmap-bits.ts'
import type { AggregateKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/sum-i64.ts, by integers: both are exact, and the state has one form. */
export const sumI64 =
  (views: () => MemoryViews): AggregateKernels['sumI64'] =>
  (values, n, selection, state) => {
    const memory = views()
    const { f64, i64 } = memory
    const at = state / 8
    let [high, low, count] = [0, 0, 0]
    for (let row = 0; row < n; row++) {
      if (!hasBit(memory, selection, row)) continue
      const value = f64[values / 8 + row]!
      const upper = Math.floor(value / 2 ** 32)
      high += upper
      low += value - upper * 2 ** 32
      count++
    }
    const lower = i64[at + 1]! + BigInt(low)
    i64[at]! += BigInt(high) + (lower >> 32n)
    i64[at + 1] = lower & 0xffff_ffffn
    i64[at + 2]! += BigInt(count)
  }
