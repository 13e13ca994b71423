import { SUM_KEY_BYTES } from '../simd/kernels.ts'
import type { Scratch } from './scratch.ts'

/** How a kernel comes to the codes of a chunk by itself: kind, address, shift and bucket as `sumF64ByKeys` has them. */
export type PlainKey = Readonly<{
  kind: number
  at: number
  shift: number
  bucketUs: number
  /** Codes of selected rows are from `first` to before `end`. */
  first: number
  end: number
}>

/** Keys of a chunk, written down for `sumF64ByKeys`; its cells are from `first` to before `end`. */
export type SumKeys = Readonly<{ pointer: number; count: number; first: number; end: number }>

/** Group numbers that were written, u32 a row, as the one key. */
export const numberedKey = (at: number, cells: number): PlainKey => ({
  kind: 4,
  at,
  shift: 0,
  bucketUs: 0,
  first: 0,
  end: cells,
})

/** Writes the keys of a chunk where the kernel finds them, until the next call; a key has room for `capacities` codes. */
export function writeSumKeys(
  keys: readonly PlainKey[],
  capacities: readonly number[],
  scratch: Scratch,
): SumKeys {
  const bytes = keys.length * SUM_KEY_BYTES
  const pointer = scratch.keep('keys of sums', bytes)
  const words = scratch.wordsAt(pointer, bytes / 4)
  const doubles = scratch.doublesAt(pointer, bytes / 8)
  for (const [index, { kind, at, shift, bucketUs }] of keys.entries()) {
    const from = (index * SUM_KEY_BYTES) / 4
    words[from] = kind
    words[from + 1] = at
    words[from + 2] = capacities[index]!
    doubles[from / 2 + 2] = shift
    doubles[from / 2 + 3] = bucketUs
  }
  const below = capacities.slice(1).reduce((product, capacity) => product * capacity, 1)
  const [{ first, end }] = keys as [PlainKey]
  return { pointer, count: keys.length, first: first * below, end: end * below }
}
