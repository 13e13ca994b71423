import { fmix32 } from '../hashing/fmix32.ts'
import { hasBit } from './bitmap-bits.ts'
import { KEY_CELL_BYTES, type KeyKernels, type Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const CELL_WORDS = KEY_CELL_BYTES / 4

/** The finalizer of MurmurHash3 over both halves, the upper one spread by 2^32 / φ. */
function hashKey(low: number, high: number): number {
  return fmix32(low ^ Math.imul(high, 0x9e3779b1))
}

/** The cell of a key, as a word index: its own, or the free one where it belongs. */
function findCell(u32: Uint32Array, table: Pointer, mask: number, low: number, high: number): number {
  let index = hashKey(low, high) & mask
  for (;;) {
    const cell = table / 4 + index * CELL_WORDS
    if (u32[cell + 3] === 0 || (u32[cell] === low && u32[cell + 1] === high)) return cell
    index = (index + 1) & mask
  }
}

/** Twin of assembly/number-keys.ts. */
export const numberKeys = (views: () => MemoryViews): KeyKernels => ({
  numberKeys: (keys, n, selection, table, capacityMask, used, out) => {
    const memory = views()
    const { u32 } = memory
    const usedMax = ((capacityMask + 1) >>> 2) * 3
    for (let row = 0; row < n; row++) {
      if (!hasBit(memory, selection, row)) continue
      const [low, high] = [u32[keys / 4 + 2 * row]!, u32[keys / 4 + 2 * row + 1]!]
      const cell = findCell(u32, table, capacityMask, low, high)
      if (u32[cell + 3] === 0) {
        const number = u32[used / 4]!
        if (number >= usedMax) return row
        u32.set([low, high, number, 1], cell)
        u32[used / 4] = number + 1
      }
      u32[out / 4 + row] = u32[cell + 2]!
    }
    return n
  },
  rehashKeys: (oldTable, oldMask, newTable, newMask) => {
    const { u32 } = views()
    for (let index = 0; index <= oldMask; index++) {
      const [low = 0, high = 0, number = 0, full = 0] = u32.subarray(oldTable / 4 + index * CELL_WORDS)
      if (full === 1) u32.set([low, high, number, full], findCell(u32, newTable, newMask, low, high))
    }
  },
  pairKeys: (low, high, n, out) => {
    const { u32 } = views()
    for (let row = 0; row < n; row++) {
      u32[out / 4 + 2 * row] = u32[low / 4 + row]!
      u32[out / 4 + 2 * row + 1] = u32[high / 4 + row]!
    }
  },
})
