import type { Scratch } from '../plan/scratch.ts'
import { PAIRS_A_STEP } from '../simd/fold-kernels.ts'
import type { Kernels, Pointer } from '../simd/kernels.ts'
import { KeyNumbers } from './key-numbers.ts'

const WORD_BYTES = 4
const KEY_BYTES = 8
const PAIR_BYTES = 2 * WORD_BYTES
/** A table of all pairs may have so many for each that is numbered: to clear it costs a fraction of what hashing would. */
const PLACES_A_PAIR = 8
/** Or so many, whatever is numbered: it stays in the first cache. */
const PLACES_ALWAYS = 4_096

/** How many of each there are at most; how many pairs will be numbered in all, and in a call; how many may be different. */
export type PairBounds = Readonly<{
  firsts: number
  seconds: number
  n: number
  rowsMost: number
  limit: number
}>

/**
 * Numbers pairs of two numbers, u32 each, from 0 in order of appearance, up to a limit: by a table of all pairs where that
 * is small, else by hashes. One at a time is in use: its memory, kept by the scratch, is that of the next.
 */
export class PairNumbers {
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly bounds: PairBounds
  private readonly hashed: KeyNumbers | undefined
  private readonly table: Pointer = 0
  private readonly used: Pointer = 0
  private readonly pairs: Pointer = 0
  private readonly keys: Pointer = 0

  /** Errors: TN_MEMORY_FULL. */
  constructor(kernels: Kernels, scratch: Scratch, bounds: PairBounds) {
    this.kernels = kernels
    this.scratch = scratch
    this.bounds = bounds
    const { firsts, seconds, n, rowsMost, limit } = bounds
    const places = firsts * seconds
    if (places > Math.max(PLACES_ALWAYS, n * PLACES_A_PAIR)) {
      this.keys = scratch.keep('keys', rowsMost * KEY_BYTES)
      this.hashed = new KeyNumbers(kernels, scratch, limit)
      return
    }
    this.table = scratch.keep('table', places * WORD_BYTES)
    kernels.clearBytes(this.table, places * WORD_BYTES)
    this.pairs = scratch.keep('pairs', (limit + PAIRS_A_STEP) * PAIR_BYTES)
    this.used = scratch.keep('used', WORD_BYTES)
    scratch.wordsAt(this.used, 1)[0] = 0
  }

  get count(): number {
    return this.hashed?.count ?? this.scratch.wordsAt(this.used, 1)[0]!
  }

  /** Writes the number of each of `n` pairs, u32 at `out`; false when there are more pairs than the limit. */
  number(firsts: Pointer, seconds: Pointer, n: number, out: Pointer): boolean {
    const { kernels, hashed, table, used, pairs, keys } = this
    if (hashed === undefined) {
      const { seconds: width, limit } = this.bounds
      kernels.numberPairs(firsts, seconds, n, width, table, limit, used, pairs, out)
      return this.count <= limit
    }
    kernels.pairKeys(firsts, seconds, n, keys)
    return hashed.number(keys, n, 0, out)
  }

  /** Both halves of each pair, by number. */
  halves(): Readonly<{ firsts: Uint32Array; seconds: Uint32Array }> {
    if (this.hashed !== undefined) {
      const { low, high } = this.hashed.halves()
      return { firsts: low, seconds: high }
    }
    const { count } = this
    const [firsts, seconds] = [new Uint32Array(count), new Uint32Array(count)]
    const pairs = this.scratch.wordsAt(this.pairs, 2 * count)
    for (let number = 0; number < count; number++) {
      firsts[number] = pairs[2 * number]!
      seconds[number] = pairs[2 * number + 1]!
    }
    return { firsts, seconds }
  }

  free(): void {
    this.hashed?.free()
  }
}
