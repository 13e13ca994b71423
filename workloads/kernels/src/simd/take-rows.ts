import type { TakeKernels } from './ingest-kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/take-rows.ts. */
export const takeRows = (views: () => MemoryViews): TakeKernels => {
  const bitAt = ({ u8 }: MemoryViews, source: number, row: number): number =>
    source === 0 ? 1 : (u8[source + (row >>> 3)]! >>> (row & 7)) & 1
  return {
    takeBytes: (source, rows, n, out) => {
      const { u8, u32 } = views()
      for (let index = 0; index < n; index++) u8[out + index] = u8[source + u32[rows / 4 + index]!]!
    },
    takeDoubles: (source, rows, n, out) => {
      const { u32, u64 } = views()
      for (let index = 0; index < n; index++) u64[out / 8 + index] = u64[source / 8 + u32[rows / 4 + index]!]!
    },
    takeIds: (source, rows, n, out) => {
      const { u8, u32 } = views()
      for (let index = 0; index < n; index++) {
        const from = source + u32[rows / 4 + index]! * 16
        u8.copyWithin(out + index * 16, from, from + 16)
      }
    },
    takeOffsets: (source, rows, n, base, out) => {
      const { u32, f64 } = views()
      for (let index = 0; index < n; index++)
        u32[out / 4 + index] = f64[source / 8 + u32[rows / 4 + index]!]! - base
    },
    copyBytes: (from, to, n) => {
      views().u8.copyWithin(to, from, from + n)
    },
    clearBytes: (at, n) => {
      views().u8.fill(0, at, at + n)
    },
    takeExtremes: (source, rows, n, state) => {
      const { u32, f64 } = views()
      for (let index = 0; index < n; index++) {
        const value = f64[source / 8 + u32[rows / 4 + index]!]!
        if (value < f64[state / 8]!) f64[state / 8] = value
        if (value > f64[state / 8 + 1]!) f64[state / 8 + 1] = value
      }
    },
    takeBits: (source, rows, n, at, out) => {
      const memory = views()
      const { u8, u32 } = memory
      for (let index = 0; index < n; index++) {
        const bit = bitAt(memory, source, u32[rows / 4 + index]!)
        u8[out + ((at + index) >>> 3)]! |= bit << ((at + index) & 7)
      }
    },
    countBits: (source, rows, n) => {
      const memory = views()
      let count = 0
      for (let index = 0; index < n; index++) count += bitAt(memory, source, memory.u32[rows / 4 + index]!)
      return count
    },
    narrowCodes: (codes, n, width, out) => {
      const { u8, u16, u32 } = views()
      for (let index = 0; index < n; index++) {
        const code = u32[codes / 4 + index]!
        if (width === 1) u8[out + index] = code
        else if (width === 2) u16[out / 2 + index] = code
        else u32[out / 4 + index] = code
      }
    },
  }
}
