import { writeBitmap } from './bitmap-bits.ts'
import { KERNEL_COMPARE, type KernelCompare, type SelectValueKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const HOLDS: Readonly<Record<KernelCompare, (value: number, scalar: number) => boolean>> = {
  [KERNEL_COMPARE.EQUAL]: (value, scalar) => value === scalar,
  [KERNEL_COMPARE.NOT_EQUAL]: (value, scalar) => value !== scalar,
  [KERNEL_COMPARE.LESS]: (value, scalar) => value < scalar,
  [KERNEL_COMPARE.LESS_OR_EQUAL]: (value, scalar) => value <= scalar,
  [KERNEL_COMPARE.GREATER]: (value, scalar) => value > scalar,
  [KERNEL_COMPARE.GREATER_OR_EQUAL]: (value, scalar) => value >= scalar,
}

/** Twin of assembly/select-values.ts. */
export const selectValues = (views: () => MemoryViews): SelectValueKernels => ({
  selectF64: (op, values, n, scalar, out) => {
    const memory = views()
    const holds = HOLDS[op]
    writeBitmap(memory, n, out, (row) => holds(memory.f64[values / 8 + row]!, scalar))
  },
  selectF64Between: (values, n, low, high, out) => {
    const memory = views()
    writeBitmap(memory, n, out, (row) => {
      const value = memory.f64[values / 8 + row]!
      return value >= low && value < high
    })
  },
  selectU32Between: (values, n, low, high, out) => {
    const memory = views()
    writeBitmap(memory, n, out, (row) => {
      const value = memory.u32[values / 4 + row]!
      return value >= low && value <= high
    })
  },
})
