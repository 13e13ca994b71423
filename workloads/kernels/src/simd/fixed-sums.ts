import { greatestOf } from './greatest-of.ts'
import type { FixedSumKernels, OptionalPointer, Pointer } from './kernels.ts'
import { SUM_KEY_BYTES } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { selectedRows } from './stream-row.ts'
import { addCompensated, powerAbove } from './two-sum.ts'

const ROWS_MAX = 2 ** 18 - 1
const COUNT_BIT = 46n
const BOUND_SLACK = 8
const SAMPLE_STEPS = 4
const MISFITS_MAX = 16
const BOUND_MIN = 2 ** -900
const BOUND_MAX = 2 ** 900
const HIGH_UNIT = 2 ** -27
const LOW_UNIT = 2 ** -72

/** In `work`: the bound f64 (0: none yet); as u32 the rows since cells were settled, and from and to which cell they may be. */
const [ROWS, FIRST, END] = [2, 3, 4]
/** Then the groups of 64 rows, u32 each, and the cells. */
const GROUPS_AT = 64
const GROUPS_END = GROUPS_AT + 64 * 4
const CELLS_AT = 512

/** What `sumF64ByKeys` leaves there has no meaning. */
export const SUM_SCRATCH = { at: GROUPS_AT, bytes: GROUPS_END - GROUPS_AT } as const

type Sum = Readonly<{ first: number; end: number; work: Pointer; states: Pointer }>

/** Twin of assembly/fixed-sums.ts, which explains the method: the same steps, bounds and cells; needs no groups in `work`. */
export const fixedSums = (views: () => MemoryViews): FixedSumKernels => ({
  sumF64ByKeys: (values, keys, keyCount, n, selection, first, end, work, states) => {
    const memory = views()
    const sum = { first, end, work, states }
    const groupOf = groupsBy(memory, keys, keyCount)
    sumRows(memory, { values, n, selection, groupOf }, sum)
  },
  settleSums: (work, states) => settle(views(), work, states),
})

type Rows = Readonly<{
  values: Pointer
  n: number
  selection: OptionalPointer
  groupOf: (row: number) => number
}>

function sumRows(memory: MemoryViews, { values, n, selection, groupOf }: Rows, sum: Sum): void {
  const { f64, u32 } = memory
  const { work, states } = sum
  const steps = Math.ceil(n / 64)
  const rowsOf = (from: number, end: number) => selectedRows(memory, selection, n, from, end)
  const choose = (rows: readonly number[]) => {
    f64[work / 8] = boundFor(greatestOf(memory, values, rows))
  }
  if (u32[work / 4 + ROWS]! + n > ROWS_MAX) settle(memory, work, states)
  note(memory, n, sum)
  if (f64[work / 8] === 0) choose(rowsOf(0, Math.min(steps, SAMPLE_STEPS)))
  let mayChoose = true
  for (let step = 0; step < steps; step++) {
    const rows = rowsOf(step, step + 1)
    let misfits = 0
    for (const row of rows) {
      const value = f64[values / 8 + row]!
      const group = groupOf(row)
      if (addFitting(memory, work, group, value)) continue
      addCompensated(f64, states / 8 + 3 * group, value)
      f64[states / 8 + 3 * group + 2]! += 1
      misfits += 1
    }
    if (misfits < MISFITS_MAX || !mayChoose) continue
    settle(memory, work, states)
    choose(rows)
    note(memory, n, sum)
    mayChoose = false
  }
}

/** Adds a value to its group's cell; does not, and says false, if it does not fit. */
function addFitting({ f64, i64 }: MemoryViews, work: Pointer, group: number, value: number): boolean {
  const bound = f64[work / 8]!
  const [cut, fine] = cutsOf(bound)
  const high = value + cut - cut
  const low = value - high + fine - fine
  const units = high / (bound * HIGH_UNIT)
  if (!(units >= -(2 ** 27) && units < 2 ** 27)) return false
  if (Math.abs(value - high - low) > Math.abs(value) * 2 ** -53) return false
  const cell = (work + CELLS_AT) / 8 + 2 * group
  i64[cell]! += BigInt(units) + (1n << COUNT_BIT)
  i64[cell + 1]! += BigInt(low / (bound * LOW_UNIT)) + bitsOf(fine)
  return true
}

function note({ u32 }: MemoryViews, n: number, { first, end, work }: Sum): void {
  const at = work / 4
  const isFirst = u32[at + ROWS] === 0
  u32[at + FIRST] = isFirst ? first : Math.min(first, u32[at + FIRST]!)
  u32[at + END] = isFirst ? end : Math.max(end, u32[at + END]!)
  u32[at + ROWS]! += n
}

function settle({ f64, i64, u32 }: MemoryViews, work: Pointer, states: Pointer): void {
  if (u32[work / 4 + ROWS] === 0) return
  u32[work / 4 + ROWS] = 0
  const bound = f64[work / 8]!
  const lowBits = bitsOf(cutsOf(bound)[1])
  for (let group = u32[work / 4 + FIRST]!; group < u32[work / 4 + END]!; group++) {
    const [cell, state] = [(work + CELLS_AT) / 8 + 2 * group, states / 8 + 3 * group]
    const [high, rest] = [i64[cell]!, i64[cell + 1]!]
    if (high === 0n && rest === 0n) continue
    const count = BigInt.asUintN(64, high + (1n << (COUNT_BIT - 1n))) >> COUNT_BIT
    const low = BigInt.asIntN(64, rest - count * lowBits)
    const units = BigInt.asIntN(64, high - (count << COUNT_BIT))
    addCompensated(f64, state, Number(units) * (bound * HIGH_UNIT))
    if (Number.isFinite(f64[state]!)) f64[state + 1]! += Number(low) * (bound * LOW_UNIT)
    f64[state + 2]! += Number(count)
    i64[cell] = i64[cell + 1] = 0n
  }
}

const cutsOf = (bound: number): readonly [high: number, low: number] => [
  (1.5 * 2 ** 52 + 2 ** 27) * (bound * HIGH_UNIT),
  1.5 * 2 ** 52 * (bound * LOW_UNIT),
]

function boundFor(top: number): number {
  if (top > BOUND_MAX) return BOUND_MAX
  return Math.max(BOUND_MIN, Math.min(BOUND_MAX, powerAbove(top) * BOUND_SLACK))
}

const bits = new BigInt64Array(1)
const double = new Float64Array(bits.buffer)
function bitsOf(value: number): bigint {
  double[0] = value
  return bits[0]!
}

/** The group of a row by keys without nulls. */
function groupsBy(memory: MemoryViews, keys: Pointer, keyCount: number): (row: number) => number {
  const { u8, u16, u32, f64 } = memory
  const codes = Array.from({ length: keyCount }, (_, index) => {
    const at = keys + index * SUM_KEY_BYTES
    const [kind, from, factor] = [u32[at / 4]!, u32[at / 4 + 1]!, index === 0 ? 0 : u32[at / 4 + 2]!]
    const [shift, bucket] = [f64[at / 8 + 2]!, f64[at / 8 + 3]!]
    const codeOf = (row: number): number => {
      if (kind === 1) return u8[from + row]!
      if (kind === 2) return u16[from / 2 + row]!
      const word = u32[from / 4 + row]!
      if (kind === 4) return word
      return bucket >= 2 ** 32 ? Number(word >= bucket - shift) : Math.floor((word + shift) / bucket)
    }
    return { factor, codeOf }
  })
  return (row) => codes.reduce((group, { factor, codeOf }) => group * factor + codeOf(row), 0)
}
