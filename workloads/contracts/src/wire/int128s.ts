/** 128-bit integers by row. An array of bigints is one. */
export type Int128s = Readonly<{ length: number; at: (row: number) => bigint | undefined }>

const WORD = 4_294_967_296
const ROW_WORDS = 4

/**
 * 128-bit integers as they stand on the wire: two's complement, four words a row, the lowest first. A sum that a double holds, and
 * nearly every sum is one, is written, moved and added without a bigint being made.
 */
export class WideIntegers {
  readonly words: Uint32Array

  constructor(words: Uint32Array) {
    this.words = words
  }

  /** The first `count` of any integers in this form. Cost: O(1) if they have it already. */
  static of(values: Int128s, count: number): WideIntegers {
    if (values instanceof WideIntegers) return new WideIntegers(values.words.subarray(0, count * ROW_WORDS))
    const wide = WideIntegers.zeros(count)
    for (let row = 0; row < count; row++) wide.set(row, values.at(row) as bigint)
    return wide
  }

  static zeros(count: number): WideIntegers {
    return new WideIntegers(new Uint32Array(count * ROW_WORDS))
  }

  get length(): number {
    return this.words.length / ROW_WORDS
  }

  at(row: number): bigint | undefined {
    if (row >= this.length) return undefined
    const { words } = this
    const at = row * ROW_WORDS
    let value = BigInt((words[at + 3] as number) | 0)
    for (let word = 2; word >= 0; word--) value = (value << 32n) | BigInt(words[at + word] as number)
    return value
  }

  /** The integer, where it is below 2^53; NaN for any other. */
  safeAt(row: number): number {
    const { words } = this
    const at = row * ROW_WORDS
    const high = (words[at + 1] as number) | 0
    const sign = high >> 31
    if (((words[at + 2] as number) | 0) !== sign || ((words[at + 3] as number) | 0) !== sign)
      return Number.NaN
    const value = high * WORD + (words[at] as number)
    return Number.isSafeInteger(value) ? value : Number.NaN
  }

  set(row: number, value: bigint): void {
    for (let word = 0; word < ROW_WORDS; word++)
      this.words[row * ROW_WORDS + word] = Number(BigInt.asUintN(32, value >> BigInt(32 * word)))
  }

  /** Writes an integer below 2^53. */
  setSafe(row: number, value: number): void {
    const { words } = this
    const at = row * ROW_WORDS
    const high = Math.floor(value / WORD)
    words[at] = value - high * WORD
    words[at + 1] = high
    words[at + 2] = high < 0 ? -1 : 0
    words[at + 3] = high < 0 ? -1 : 0
  }
}
