import { hasBit } from './bitmap-bits.ts'
import type { FewGroupKernels, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { codesOf } from './select-codes.ts'
import { greatest, selectedRows } from './sum-f64.ts'
import { addCompensated, powerAbove, TOP_MAX } from './two-sum.ts'

const BLOCK_ROWS = 2_048
const SIGMA_RATIO = 1.5 * 2 ** 24
const BOUND_SLACK = 256
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
    sumFew(memory, values, codesOf(memory, 1).subarray(codes, codes + n), selection, states)
  },
  groupSumF64Few: (values, groups, n, selection, states) => {
    const memory = views()
    sumFew(memory, values, codesOf(memory, 4).subarray(groups / 4, groups / 4 + n), selection, states)
  },
})

type Groups = Uint8Array | Uint16Array | Uint32Array

function sumFew(
  memory: MemoryViews,
  values: Pointer,
  groups: Groups,
  selection: Pointer,
  states: Pointer,
): void {
  const { f64 } = memory
  let bound = 0
  for (let first = 0; first < groups.length; first += BLOCK_ROWS) {
    const rows = selectedRows(memory, selection, first, Math.min(groups.length, first + BLOCK_ROWS))
    const top = greatest(memory, values, rows)
    if (top >= bound && top >= TOP_MAX) {
      for (const row of rows) {
        const at = states / 8 + 3 * groups[row]!
        addCompensated(f64, at, f64[values / 8 + row]!)
        f64[at + 2]! += 1
      }
      continue
    }
    if (top >= bound) bound = top === 0 ? 1 : powerAbove(top)
    addBlock(memory, values, groups, rows, bound, states)
    if (top !== 0 && top * BOUND_SLACK < bound) bound = powerAbove(top)
  }
}

function addBlock(
  { f64 }: MemoryViews,
  values: Pointer,
  groups: Groups,
  rows: readonly number[],
  bound: number,
  states: Pointer,
): void {
  const sigma = bound * SIGMA_RATIO
  const cells = { multiples: new Float64Array(4 * 256), rests: new Float64Array(4 * 256) }
  const counts = new Uint32Array(256)
  for (const row of rows) {
    const [value, group] = [f64[values / 8 + row]!, groups[row]!]
    const multiple = sigma + value - sigma
    cells.multiples[REPLICAS * group + (row & 3)]! += multiple
    cells.rests[REPLICAS * group + (row & 3)]! += value - multiple
    counts[group]! += 1
  }
  const sum = (of: Float64Array, group: number) => {
    const [a = 0, b = 0, c = 0, d = 0] = of.subarray(REPLICAS * group)
    return a + b + (c + d)
  }
  for (const [group, count] of counts.entries()) {
    if (count === 0) continue
    const at = states / 8 + 3 * group
    addCompensated(f64, at, sum(cells.multiples, group))
    if (Number.isFinite(f64[at]!)) f64[at + 1]! += sum(cells.rests, group)
    f64[at + 2]! += count
  }
}
