/** What folding the rows of a bucket into cells needs of the kernels; `n` has no limit but the memory here. */
type Pointer = number
/** 0 is absent. */
type OptionalPointer = number

type CellSum = (
  values: Pointer,
  groups: Pointer,
  n: number,
  selection: OptionalPointer,
  sums: Pointer,
  rests: Pointer,
) => void

/** Rows after which `numberPairs` may end. */
export const PAIRS_A_STEP = 256

export type FoldKernels = Readonly<{
  /** out[at] = value, f64. JavaScript fills shared memory word by word. */
  fillF64: (out: Pointer, n: number, value: number) => void
  /**
   * out[row] = the number of the row's pair (u32 each, second < `width`), u32: given from `used` (u32) on in order of appearance.
   * `table` is u32 for every pair, at first · width + second, all zero at first: its number + 1. Writes the pair of each number,
   * two u32, to `pairs`, which has room for limit + `PAIRS_A_STEP`. Ends early, with `used` above `limit`, at more pairs.
   */
  numberPairs: (
    firsts: Pointer,
    seconds: Pointer,
    n: number,
    width: number,
    table: Pointer,
    limit: number,
    used: Pointer,
    pairs: Pointer,
    out: Pointer,
  ) => void
  /** sums[groups[row]] += values[row], f64. */
  cellAddF64: (values: Pointer, groups: Pointer, n: number, sums: Pointer) => void
  /** Adds values to sums and compensations, f64 a cell each, in row order, as `groupSumF64` does. */
  cellSumF64: CellSum
  /** Values are integers below 2^53; a cell's sum is high · 2^32 + low, f64 a cell each, exact, 0 ≤ low < 2^32. */
  cellSumI64: CellSum
  /** Lowers mins to `lows` and raises maxs to `highs`, f64 a cell each, from Infinity and -Infinity on. -0 is written as 0. */
  cellMinMaxF64: (
    lows: Pointer,
    highs: Pointer,
    groups: Pointer,
    n: number,
    selection: OptionalPointer,
    mins: Pointer,
    maxs: Pointer,
  ) => void
}>
