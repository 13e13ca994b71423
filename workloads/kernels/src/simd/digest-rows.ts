import type { DigestKernels } from './ingest-kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const NULL_HASH = 0x6e756c6c

/** Twin of assembly/digest-rows.ts. */
export const digestRows = (views: () => MemoryViews): DigestKernels => {
  /** Mixes in `hashOf` of each row's value. */
  const mix = (
    validity: number,
    rows: number,
    n: number,
    mixed: number,
    hashOf: (memory: MemoryViews, row: number) => number,
  ): void => {
    const memory = views()
    const { u8, u32 } = memory
    for (let index = 0; index < n; index++) {
      const row = u32[rows / 4 + index]!
      const valid = validity === 0 || ((u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 1
      const hash = valid ? hashOf(memory, row) : NULL_HASH
      u32[mixed / 4 + index] = Math.imul(u32[mixed / 4 + index]!, 31) + hash
    }
  }
  return {
    mixDoubles: (values, validity, rows, n, mixed) =>
      mix(validity, rows, n, mixed, ({ u32 }, row) => {
        const at = values / 4 + row * 2
        return Math.imul(u32[at + 1]!, 0x9e3779b1) ^ u32[at]!
      }),
    mixBytes: (values, validity, rows, n, mixed) =>
      mix(validity, rows, n, mixed, ({ u8 }, row) => u8[values + row]! + 1),
    mixCodes: (codes, hashes, validity, rows, n, mixed) =>
      mix(validity, rows, n, mixed, ({ u32 }, row) => u32[hashes / 4 + u32[codes / 4 + row]!]!),
    mixIds: (ids, rows, n, mixed) =>
      mix(0, rows, n, mixed, ({ u32 }, row) => {
        const at = ids / 4 + row * 4
        let hash = (Math.imul(u32[at]!, 31) + u32[at + 1]!) | 0
        hash = (Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) + u32[at + 2]!) | 0
        return (Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) + u32[at + 3]!) | 0
      }),
    foldRows: (mixed, n, digest) => {
      const { u32 } = views()
      let [a, b] = [u32[digest / 4]!, u32[digest / 4 + 1]!]
      for (let index = 0; index < n; index++) {
        const row = u32[mixed / 4 + index]!
        a = Math.imul(a ^ row, 0x01000193)
        b = Math.imul(b ^ (row >>> 7) ^ (row << 11), 0x85ebca6b) + 1
      }
      u32[digest / 4] = a
      u32[digest / 4 + 1] = b
    },
  }
}
