import { hasBit } from './bitmap-bits.ts'
import { type FoldKernels, PAIRS_A_STEP } from './fold-kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { roundingError } from './two-sum.ts'

const TWO_TO_32 = 2 ** 32

/** Calls `take` with each selected row and its cell. */
function eachRow(
  memory: MemoryViews,
  groups: number,
  n: number,
  selection: number,
  take: (row: number, cell: number) => void,
): void {
  for (let row = 0; row < n; row++)
    if (hasBit(memory, selection, row)) take(row, memory.u32[groups / 4 + row]!)
}

/** Twin of assembly/fold-cells.ts. */
export const foldCells = (views: () => MemoryViews): FoldKernels => ({
  fillF64: (out, n, value) => {
    views().f64.fill(value, out / 8, out / 8 + n)
  },
  numberPairs: (firsts, seconds, n, width, table, limit, used, pairs, out) => {
    const { u32 } = views()
    for (let row = 0; row < n; row++) {
      const count = u32[used / 4]!
      if (row % PAIRS_A_STEP === 0 && count > limit) return
      const [first, second] = [u32[firsts / 4 + row]!, u32[seconds / 4 + row]!]
      const cell = table / 4 + first * width + second
      if (u32[cell] === 0) {
        u32.set([first, second], pairs / 4 + 2 * count)
        u32[cell] = count + 1
        u32[used / 4] = count + 1
      }
      u32[out / 4 + row] = u32[cell]! - 1
    }
  },
  cellAddF64: (values, groups, n, sums) => {
    const memory = views()
    const { f64 } = memory
    eachRow(memory, groups, n, 0, (row, cell) => {
      f64[sums / 8 + cell]! += f64[values / 8 + row]!
    })
  },
  cellSumF64: (values, groups, n, selection, sums, rests) => {
    const memory = views()
    const { f64 } = memory
    eachRow(memory, groups, n, selection, (row, cell) => {
      const [before, value] = [f64[sums / 8 + cell]!, f64[values / 8 + row]!]
      const sum = before + value
      f64[sums / 8 + cell] = sum
      const rest = f64[rests / 8 + cell]! + roundingError(before, value, sum)
      f64[rests / 8 + cell] = Number.isFinite(sum) ? rest : 0
    })
  },
  cellSumI64: (values, groups, n, selection, highs, lows) => {
    const memory = views()
    const { f64 } = memory
    eachRow(memory, groups, n, selection, (row, cell) => {
      const value = f64[values / 8 + row]!
      const high = Math.floor(value / TWO_TO_32)
      const low = f64[lows / 8 + cell]! + (value - high * TWO_TO_32)
      const carry = low >= TWO_TO_32 ? 1 : 0
      f64[lows / 8 + cell] = low - carry * TWO_TO_32
      f64[highs / 8 + cell]! += high + carry
    })
  },
  cellMinMaxF64: (lows, highs, groups, n, selection, mins, maxs) => {
    const memory = views()
    const { f64 } = memory
    eachRow(memory, groups, n, selection, (row, cell) => {
      const [low, high] = [f64[lows / 8 + row]! + 0, f64[highs / 8 + row]! + 0]
      if (low < f64[mins / 8 + cell]!) f64[mins / 8 + cell] = low
      if (high > f64[maxs / 8 + cell]!) f64[maxs / 8 + cell] = high
    })
  },
})
