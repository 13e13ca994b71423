import { hasBit, writeBitmap } from './bitmap-bits.ts'
import type { BitmapKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/bitmaps.ts. */
export const bitmaps = (views: () => MemoryViews): BitmapKernels => ({
  bitmapFill: (n, out) => writeBitmap(views(), n, out, () => true),
  bitmapAnd: (a, b, n, out) => {
    const memory = views()
    writeBitmap(memory, n, out, (row) => hasBit(memory, a, row) && hasBit(memory, b, row))
  },
  bitmapOr: (a, b, n, out) => {
    const memory = views()
    writeBitmap(memory, n, out, (row) => hasBit(memory, a, row) || hasBit(memory, b, row))
  },
  bitmapNot: (a, n, out) => {
    const memory = views()
    writeBitmap(memory, n, out, (row) => !hasBit(memory, a, row))
  },
  bitmapCount: (a, n) => {
    const memory = views()
    let count = 0
    for (let row = 0; row < n; row++) if (hasBit(memory, a, row)) count++
    return count
  },
  bitmapRows: (a, n, out) => {
    const memory = views()
    let count = 0
    for (let row = 0; row < n; row++) if (hasBit(memory, a, row)) memory.u32[out / 4 + count++] = row
    return count
  },
})
