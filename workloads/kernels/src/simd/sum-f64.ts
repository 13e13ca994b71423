import { greatestOf } from './greatest-of.ts'
import type { AggregateKernels, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { selectedRows } from './stream-row.ts'
import { addCompensated, highWord, powerAbove, TOP_MAX } from './two-sum.ts'

const BLOCK_STEPS = 256
const SAMPLE_STEPS = 4
const SIGMA_RATIO = 6_144
const BOUND_SLACK = 64

/** Twin of assembly/sum-f64.ts, which explains the method: the same lanes, blocks and bounds. */
export const sumF64 =
  (views: () => MemoryViews): AggregateKernels['sumF64'] =>
  (values, n, selection, state) => {
    const memory = views()
    const { f64 } = memory
    const at = state / 8
    const rowsOf = (from: number, end: number) => selectedRows(memory, selection, n, from, end)
    const steps = n >> 6
    const sample = greatestOf(memory, values, rowsOf(0, Math.min(steps, SAMPLE_STEPS)))
    let bound = sample === 0 || sample >= TOP_MAX ? 0 : powerAbove(sample) * BOUND_SLACK
    const addPlainly = (rows: readonly number[]) => {
      for (const row of rows) addCompensated(f64, at, f64[values / 8 + row]!)
    }
    for (let step = 0; step < steps; step += BLOCK_STEPS) {
      const rows = rowsOf(step, Math.min(steps, step + BLOCK_STEPS))
      f64[at + 2]! += rows.length
      if (bound !== 0 && addBlock(memory, values, rows, bound * SIGMA_RATIO, at)) continue
      const top = greatestOf(memory, values, rows)
      if (top >= TOP_MAX) addPlainly(rows)
      else if (top !== 0) {
        bound = powerAbove(top) * BOUND_SLACK
        addBlock(memory, values, rows, bound * SIGMA_RATIO, at)
      }
    }
    const last = rowsOf(steps, Math.ceil(n / 64))
    addPlainly(last)
    f64[at + 2]! += last.length
    if (Number.isNaN(f64[at]!)) f64[at] = Number.POSITIVE_INFINITY
    if (!Number.isFinite(f64[at]!)) f64[at + 1] = 0
  }

/** Adds the rows to the state; does not, and says false, if a lane left the power of two of `sigma`. */
function addBlock(
  { f64 }: MemoryViews,
  values: Pointer,
  rows: readonly number[],
  sigma: number,
  at: number,
): boolean {
  const sums = new Float64Array(8).fill(sigma)
  const errors = new Float64Array(8)
  const power = highWord(sigma) >>> 20
  for (const row of rows) {
    const [lane, value] = [row & 7, f64[values / 8 + row]!]
    const sum = sums[lane]! + value
    if (highWord(sum) >>> 20 !== power) return false
    errors[lane]! += value - (sum - sums[lane]!)
    sums[lane] = sum
  }
  for (const sum of sums) addCompensated(f64, at, sum - sigma)
  const side = (lane: number) => errors[lane]! + errors[lane + 2]! + (errors[lane + 4]! + errors[lane + 6]!)
  f64[at + 1]! += side(0) + side(1)
  return true
}
