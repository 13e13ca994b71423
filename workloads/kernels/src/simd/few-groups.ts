import { hasBit } from './bitmap-bits.ts'
import { greatestOf } from './greatest-of.ts'
import type { FewGroupKernels, OptionalPointer, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { selectedRows } from './stream-row.ts'
import { addCompensated, cutLast, highWord, powerAbove, TOP_MAX } from './two-sum.ts'

const BLOCK_STEPS = 32
const POWER_RATIO = 2 ** 13
const UNIT_RATIO = 2 ** -28
const BOUND_SLACK = 8
const REPLICAS = 4

/** Twin of assembly/few-groups.ts, which explains the method: the same blocks, bounds and replicas; needs no scratch. */
export const fewGroups = (views: () => MemoryViews): FewGroupKernels => ({
  countBy8: (codes, n, selection, counts) => {
    const memory = views()
    for (let row = 0; row < n; row++) {
      if (hasBit(memory, selection, row)) memory.f64[counts / 8 + memory.u8[codes + row]!]! += 1
    }
  },
  sumF64By8: (values, codes, n, selection, states) => {
    const memory = views()
    sumFew(memory, values, memory.u8.subarray(codes, codes + n), selection, states)
  },
})

function sumFew(
  memory: MemoryViews,
  values: Pointer,
  groups: Uint8Array,
  selection: OptionalPointer,
  states: Pointer,
): void {
  const { f64 } = memory
  const n = groups.length
  const steps = Math.ceil(n / 64)
  let bound = 1
  for (let step = 0; step < steps; step += BLOCK_STEPS) {
    const rows = selectedRows(memory, selection, n, step, Math.min(steps, step + BLOCK_STEPS))
    if (step > 0 && addBlock(memory, values, groups, rows, bound, states)) continue
    const top = greatestOf(memory, values, rows)
    if (top >= TOP_MAX) {
      for (const row of rows) {
        const at = states / 8 + 3 * groups[row]!
        addCompensated(f64, at, f64[values / 8 + row]!)
        f64[at + 2]! += 1
      }
      continue
    }
    if (top !== 0) bound = powerAbove(top) * BOUND_SLACK
    addBlock(memory, values, groups, rows, bound, states)
  }
}

/** Adds the rows to their groups' states; does not, and says false, if a value was not below `bound`. */
function addBlock(
  { f64 }: MemoryViews,
  values: Pointer,
  groups: Uint8Array,
  rows: readonly number[],
  bound: number,
  states: Pointer,
): boolean {
  const sigma = 1.5 * POWER_RATIO * bound + bound
  const start = sigma + bound * UNIT_RATIO * 0.5
  const [multiples, rests] = [new Float64Array(REPLICAS * 256), new Float64Array(REPLICAS * 256)]
  const counts = new Uint32Array(256)
  for (const row of rows) {
    const [value, group] = [f64[values / 8 + row]!, groups[row]!]
    if (highWord(start + value) >>> 8 !== highWord(sigma) >>> 8) return false
    const multiple = cutLast(start + value, 11) - sigma
    multiples[REPLICAS * group + (row & 3)]! += multiple
    rests[REPLICAS * group + (row & 3)]! += value - multiple
    counts[group]! += 1
  }
  const sum = (of: Float64Array, group: number) => {
    const [a = 0, b = 0, c = 0, d = 0] = of.subarray(REPLICAS * group, REPLICAS * (group + 1))
    return a + b + (c + d)
  }
  for (const [group, count] of counts.entries()) {
    if (count === 0) continue
    const at = states / 8 + 3 * group
    addCompensated(f64, at, sum(multiples, group))
    if (Number.isFinite(f64[at]!)) f64[at + 1]! += sum(rests, group)
    f64[at + 2]! += count
  }
  return true
}
