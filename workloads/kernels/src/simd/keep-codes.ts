import { hasBit } from './bitmap-bits.ts'
import type { KeepCodeKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { type CodeWidth, codesOf } from './select-codes.ts'

/** Twin of assembly/keep-codes.ts. */
export function keepCodes(views: () => MemoryViews): KeepCodeKernels {
  const keep =
    (width: CodeWidth): KeepCodeKernels['keepCodeEqual8'] =>
    (codes, n, code, kept) => {
      const memory = views()
      const [all, first] = [codesOf(memory, width), codes / width]
      for (let row = 0; row < n; row++) {
        if (hasBit(memory, kept, row) && all[first + row] !== code)
          memory.u8[kept + (row >>> 3)]! &= ~(1 << (row & 7))
      }
    }
  return { keepCodeEqual8: keep(1), keepCodeEqual16: keep(2), keepCodeEqual32: keep(4) }
}
