import { hasBit } from './bitmap-bits.ts'
import type { AggregateKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/min-max-f64.ts. */
export const minMaxF64 =
  (views: () => MemoryViews): AggregateKernels['minMaxF64'] =>
  (values, n, selection, state) => {
    const memory = views()
    const { f64 } = memory
    const at = state / 8
    let [least, most, count] = [f64[at]!, f64[at + 1]!, 0]
    for (let row = 0; row < n; row++) {
      if (!hasBit(memory, selection, row)) continue
      const value = f64[values / 8 + row]!
      if (value < least) least = value
      if (value > most) most = value
      count++
    }
    f64[at] = least + 0
    f64[at + 1] = most + 0
    f64[at + 2]! += count
  }
