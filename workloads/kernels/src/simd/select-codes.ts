import { writeBitmap } from './bitmap-bits.ts'
import type { SelectCodeKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Bytes of a dictionary code. */
export type CodeWidth = 1 | 2 | 4

/** The codes of one width. */
export const codesOf = (
  { u8, u16, u32 }: MemoryViews,
  width: CodeWidth,
): Uint8Array | Uint16Array | Uint32Array => (width === 1 ? u8 : width === 2 ? u16 : u32)

/** Twin of assembly/select-codes.ts. */
export function selectCodes(views: () => MemoryViews): SelectCodeKernels {
  const equal =
    (width: CodeWidth): SelectCodeKernels['selectCodeEqual8'] =>
    (codes, n, code, out) => {
      const memory = views()
      const [all, first] = [codesOf(memory, width), codes / width]
      writeBitmap(memory, n, out, (row) => all[first + row] === code)
    }
  const within =
    (width: CodeWidth): SelectCodeKernels['selectCodeIn8'] =>
    (codes, n, verdicts, out) => {
      const memory = views()
      const [all, first] = [codesOf(memory, width), codes / width]
      writeBitmap(memory, n, out, (row) => memory.u8[verdicts + all[first + row]!] === 1)
    }
  return {
    selectCodeEqual8: equal(1),
    selectCodeEqual16: equal(2),
    selectCodeEqual32: equal(4),
    selectCodeIn8: within(1),
    selectCodeIn16: within(2),
    selectCodeIn32: within(4),
  }
}
