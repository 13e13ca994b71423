import { hasBit } from './bitmap-bits.ts'
import type { EndRowKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const ALL_BITS = 2n ** 64n - 1n

/** Twin of assembly/end-rows.ts, which explains what a row's number is. */
export const endRows = (views: () => MemoryViews): EndRowKernels => ({
  groupEndRows: (last, times, groups, n, selection, ends, touched) => {
    const memory = views()
    let count = 0
    for (let row = 0; row < n; row++) {
      if (!hasBit(memory, selection, row)) continue
      const group = groups === 0 ? 0 : memory.u32[groups / 4 + row]!
      const place = (BigInt(memory.u32[times / 4 + row]!) << 32n) + BigInt(row + 1)
      const key = last === 1 ? place : ALL_BITS - place
      const held = memory.u64[ends / 8 + group]!
      if (key <= held) continue
      memory.u64[ends / 8 + group] = key
      if (held === 0n) memory.u32[touched / 4 + count++] = group
    }
    return count
  },
})
