import { hasBit } from './bitmap-bits.ts'
import type { AggregateKernels, OptionalPointer, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { addCompensated, powerAbove, TOP_MAX } from './two-sum.ts'

const BLOCK_ROWS = 2_048
const SIGMA_RATIO = 4_096
const BOUND_SLACK = 256

/** Twin of assembly/sum-f64.ts, which explains the method: the same lanes, blocks and bounds. */
export const sumF64 =
  (views: () => MemoryViews): AggregateKernels['sumF64'] =>
  (values, n, selection, state) => {
    const memory = views()
    const at = state / 8
    let [bound, count] = [0, 0]
    for (let first = 0; first < n; first += BLOCK_ROWS) {
      const rows = selectedRows(memory, selection, first, Math.min(n, first + BLOCK_ROWS))
      if (rows.length === 0) continue
      count += rows.length
      const top = greatest(memory, values, rows)
      if (top !== 0 && top >= TOP_MAX && top >= bound) {
        for (const row of rows) addCompensated(memory.f64, at, memory.f64[values / 8 + row]!)
        continue
      }
      if (top !== 0 && top >= bound) bound = powerAbove(top)
      addBlock(memory, values, rows, bound, at)
      if (top !== 0 && top * BOUND_SLACK < bound) bound = powerAbove(top)
    }
    memory.f64[at + 2]! += count
    if (Number.isNaN(memory.f64[at]!)) memory.f64[at] = Number.POSITIVE_INFINITY
    if (!Number.isFinite(memory.f64[at]!)) memory.f64[at + 1] = 0
  }

/** The selected row numbers of a block. */
export function selectedRows(
  memory: MemoryViews,
  selection: OptionalPointer,
  first: number,
  end: number,
): number[] {
  const rows: number[] = []
  for (let row = first; row < end; row++) if (hasBit(memory, selection, row)) rows.push(row)
  return rows
}

/** The greatest |value| of some rows. */
export function greatest({ f64 }: MemoryViews, values: Pointer, rows: readonly number[]): number {
  let top = 0
  for (const row of rows) top = Math.max(top, Math.abs(f64[values / 8 + row]!))
  return top
}

function addBlock(
  { f64 }: MemoryViews,
  values: Pointer,
  rows: readonly number[],
  bound: number,
  at: number,
): void {
  const sigma = bound * SIGMA_RATIO
  const sums = new Float64Array(8).fill(sigma)
  const errors = new Float64Array(8)
  for (const row of rows) {
    const [lane, value] = [row & 7, f64[values / 8 + row]!]
    const sum = sums[lane]! + value
    errors[lane]! += value - (sum - sums[lane]!)
    sums[lane] = sum
  }
  const lanes = (of: (lane: number) => number, side: number) =>
    of(side) + of(side + 2) + (of(side + 4) + of(side + 6))
  const sum = (lane: number) => sums[lane]! - sigma
  const error = (lane: number) => errors[lane]!
  addCompensated(f64, at, lanes(sum, 0) + lanes(sum, 1))
  f64[at + 1]! += lanes(error, 0) + lanes(error, 1)
}
