import { hasBit } from './bitmap-bits.ts'
import type { GroupNumberKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { type CodeWidth, codesOf } from './select-codes.ts'

/** Twin of assembly/group-numbers.ts. */
export function groupNumbers(views: () => MemoryViews): GroupNumberKernels {
  const init =
    (width: CodeWidth): GroupNumberKernels['groupInit8'] =>
    (codes, validity, n, nullCode, out) => {
      const memory = views()
      const [all, first] = [codesOf(memory, width), codes / width]
      for (let row = 0; row < n; row++) {
        const valid = hasBit(memory, validity, row)
        memory.u32[out / 4 + row] = valid ? all[first + row]! : nullCode
      }
    }
  const extend =
    (width: CodeWidth): GroupNumberKernels['groupExtend8'] =>
    (codes, validity, n, nullCode, factor, out) => {
      const memory = views()
      const [all, first] = [codesOf(memory, width), codes / width]
      for (let row = 0; row < n; row++) {
        const valid = hasBit(memory, validity, row)
        const group = valid ? all[first + row]! : nullCode
        memory.u32[out / 4 + row] = Math.imul(memory.u32[out / 4 + row]!, factor) + group
      }
    }
  return {
    groupInit8: init(1),
    groupInit16: init(2),
    groupInit32: init(4),
    groupExtend8: extend(1),
    groupExtend16: extend(2),
    groupExtend32: extend(4),
    groupTimesInit: (offsets, n, shift, bucket, out) => {
      const { u32 } = views()
      for (let row = 0; row < n; row++) {
        u32[out / 4 + row] = timeGroup(u32[offsets / 4 + row]!, shift, bucket)
      }
    },
    groupTimesExtend: (offsets, n, shift, bucket, factor, out) => {
      const { u32 } = views()
      for (let row = 0; row < n; row++) {
        const group = timeGroup(u32[offsets / 4 + row]!, shift, bucket)
        u32[out / 4 + row] = Math.imul(u32[out / 4 + row]!, factor) + group
      }
    },
  }
}

/** A sum below 2^33 is divided exactly enough for its floor; in longer buckets an offset crosses at most one boundary. */
const timeGroup = (offset: number, shift: number, bucket: number): number =>
  bucket >= 2 ** 32 ? Number(offset >= bucket - shift) : Math.floor((offset + shift) / bucket)
