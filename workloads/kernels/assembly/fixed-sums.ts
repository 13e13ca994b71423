import { selectedBits } from './bitmap-end'
import { greatestOf } from './greatest-of'
import { numberRows } from './group-numbers'
import { streamRow } from './stream-row'
import { addCompensated, powerAbove } from './two-sum'

/*
 * Sums by group in fixed point. A value below `bound` is cut by two large numbers into whole multiples of two units (Rump,
 * Ogita, Oishi, SIAM J. Sci. Comput. 31(1), 2008, section 3, ExtractVector), which stand in the low bits of what the additions
 * give; those bits are added up as integers, so a row costs its group's cell one addition of a pair of 64-bit lanes. It is exact
 * and knows no order, waits one cycle for the row before it, and needs neither compensation nor replicas.
 *
 * A cell is (high, low). With unit 2^-27 bound, high takes 2^46 for the row itself and the value in units, less than 2^27: so
 * 2^18 rows stay within 64 bits, and both can be told apart. Low takes what is left, at most half a unit, in units of 2^-45 of
 * that: below 2^44 a row, 2^62 in all. What falls off behind the second cut is no more than half of 2^-72 bound.
 * A row fits while |value| < bound and what falls off is at most 2^-53 of it, as good as a rounding of the value itself: so
 * mostly where it is above 2^-20 bound. `or` and `and` over the sums tell for 64 rows at once whether all fit; if not, they are
 * looked at one by one, and those that do not are taken out again and added to their state as they are, compensated.
 * Twin: src/simd/fixed-sums.ts, which says where things stand in `work`.
 */
const ROWS_MAX: u32 = 0x3ffff
const COUNT_BIT: i64 = 46
const ONE_ROW: i64 = 1 << 46
const BOUND_BITS: i64 = 28
/** Values may be so much greater than those that gave the bound. */
const BOUND_SLACK: f64 = 8
/** The first bound fits the first rows. */
const SAMPLE_STEPS: i32 = 4
/** So many of 64 rows that do not fit ask for another bound; once a chunk, for every cell is settled before. */
const MISFITS_MAX: i32 = 16
/** Bounds whose units are still normal numbers. */
const BOUND_MIN: f64 = 1.1830521861667747e-271 // 2^-900
const BOUND_MAX: f64 = 8.452712498170644e270 // 2^900
const HIGH_UNIT: f64 = 7.450580596923828e-9 // 2^-27
const LOW_UNIT: f64 = 2.117582368135751e-22 // 2^-72
const HALF_ULP: f64 = 1.1102230246251565e-16 // 2^-53

const ROWS_AT: usize = 8
const FIRST_AT: usize = 12
const END_AT: usize = 16
const GROUPS_AT: usize = 64
const CELLS_AT: usize = 512

/** In the middle of a power of two, and of the 2^28 units that a value may be: what is added stands in the low 28 bits. */
@inline
function highCut(bound: f64): f64 {
  return (6755399441055744.0 + 134217728.0) * (bound * HIGH_UNIT)
}

@inline
function lowCut(bound: f64): f64 {
  return 6755399441055744.0 * (bound * LOW_UNIT)
}

export function sumF64ByKeys(
  values: usize, keys: usize, keyCount: i32, n: i32, selection: usize, first: u32, end: u32, work: usize, states: usize,
): void {
  const steps = (n + 63) >> 6
  if (load<u32>(work, ROWS_AT) + <u32>n > ROWS_MAX) settleSums(work, states)
  note(<u32>n, first, end, work)
  let bound = load<f64>(work)
  if (bound == 0) bound = chooseBound(values, n, 0, min(steps, SAMPLE_STEPS), selection, work)
  const numbered = keyCount == 1 && load<u32>(keys) == 4
  let mayChoose = true
  for (let step = 0; step < steps; step++) {
    const row = streamRow(step, n)
    const bits = selectedBits(selection, row, n)
    if (bits == 0) continue
    let groups = work + GROUPS_AT
    if (numbered) groups = <usize>load<u32>(keys, 4) + (<usize>row << 2)
    else numberRows(keys, keyCount, row, min(64, n - row), groups)
    const at = values + (<usize>row << 3)
    const fit = bits == ~(<u64>0)
      ? addStep(at, groups, bound, work + CELLS_AT)
      : addSome(at, groups, bits, bound, work + CELLS_AT)
    if (fit) continue
    const misfits = takeOut(at, groups, bits, bound, work + CELLS_AT, states)
    if (misfits < MISFITS_MAX || !mayChoose) continue
    settleSums(work, states)
    bound = chooseBound(values, n, step, step + 1, selection, work)
    note(<u32>n, first, end, work)
    mayChoose = false
  }
}

/** Takes note of rows that are added, and of the cells that they may be in. */
function note(n: u32, first: u32, end: u32, work: usize): void {
  const rows = load<u32>(work, ROWS_AT)
  store<u32>(work, rows == 0 ? first : min(first, load<u32>(work, FIRST_AT)), FIRST_AT)
  store<u32>(work, rows == 0 ? end : max(end, load<u32>(work, END_AT)), END_AT)
  store<u32>(work, rows + n, ROWS_AT)
}

function chooseBound(values: usize, n: i32, from: i32, end: i32, selection: usize, work: usize): f64 {
  const top = greatestOf(values, n, from, end, selection)
  const bound = top > BOUND_MAX ? BOUND_MAX : max(BOUND_MIN, min(BOUND_MAX, powerAbove(top) * BOUND_SLACK))
  store<f64>(work, bound)
  return bound
}

@inline
function addPair(cells: usize, group: u32, pair: v128): void {
  const cell = cells + (<usize>group << 4)
  v128.store(cell, i64x2.add(v128.load(cell), pair))
}

/** Adds 64 rows to their cells; answers whether all of them fit. */
function addStep(values: usize, groups: usize, bound: f64, cells: usize): bool {
  const cut = f64x2.splat(highCut(bound))
  const fine = f64x2.splat(lowCut(bound))
  const offset = i64x2.sub(cut, i64x2.splat(ONE_ROW))
  let any = cut
  let all = cut
  let lost = i64x2.splat(0)
  let at = values
  for (const end = values + 512; at < end; at += 32) {
    const v = v128.load(at)
    const w = v128.load(at, 16)
    const high = f64x2.add(v, cut)
    const highW = f64x2.add(w, cut)
    any = v128.or(any, v128.or(high, highW))
    all = v128.and(all, v128.and(high, highW))
    const rest = f64x2.sub(v, f64x2.sub(high, cut))
    const restW = f64x2.sub(w, f64x2.sub(highW, cut))
    const low = f64x2.add(rest, fine)
    const lowW = f64x2.add(restW, fine)
    lost = v128.or(lost, v128.or(f64x2.sub(rest, f64x2.sub(low, fine)), f64x2.sub(restW, f64x2.sub(lowW, fine))))
    const own = i64x2.sub(high, offset)
    const ownW = i64x2.sub(highW, offset)
    addPair(cells, load<u32>(groups), v128.shuffle<i64>(own, low, 0, 2))
    addPair(cells, load<u32>(groups, 4), v128.shuffle<i64>(own, low, 1, 3))
    addPair(cells, load<u32>(groups, 8), v128.shuffle<i64>(ownW, lowW, 0, 2))
    addPair(cells, load<u32>(groups, 12), v128.shuffle<i64>(ownW, lowW, 1, 3))
    groups += 16
  }
  const changed = v128.and(v128.xor(any, all), i64x2.splat(<i64>0xffff_ffff_f000_0000))
  return !v128.any_true(v128.or(changed, v128.and(lost, i64x2.splat(<i64>0x7fff_ffff_ffff_ffff))))
}

/** The same of the rows in `bits`. */
function addSome(values: usize, groups: usize, bits: u64, bound: f64, cells: usize): bool {
  let fit = true
  for (let left = bits; left != 0; left &= left - 1) {
    const row = <usize>ctz(left)
    const value = load<f64>(values + (row << 3))
    const pair = pairOf(value, bound)
    addPair(cells, load<u32>(groups + (row << 2)), pair)
    fit = fit && fits(value, bound)
  }
  return fit
}

@inline
function pairOf(value: f64, bound: f64): v128 {
  const cut = highCut(bound)
  const high = value + cut
  const low = value - (high - cut) + lowCut(bound)
  return i64x2.replace_lane(
    i64x2.splat(reinterpret<i64>(high) - reinterpret<i64>(cut) + ONE_ROW), 1, reinterpret<i64>(low),
  )
}

@inline
function fits(value: f64, bound: f64): bool {
  const cut = highCut(bound)
  const high = value + cut
  const rest = value - (high - cut)
  const lost = rest - (rest + lowCut(bound) - lowCut(bound))
  const changed = (reinterpret<u64>(high) ^ reinterpret<u64>(cut)) >> BOUND_BITS
  return changed == 0 && abs(lost) <= abs(value) * HALF_ULP
}

/** Takes rows that do not fit out of their cells and adds them to the states; returns how many. */
function takeOut(values: usize, groups: usize, bits: u64, bound: f64, cells: usize, states: usize): i32 {
  let misfits = 0
  for (let left = bits; left != 0; left &= left - 1) {
    const row = <usize>ctz(left)
    const value = load<f64>(values + (row << 3))
    if (fits(value, bound)) continue
    const group = <usize>load<u32>(groups + (row << 2))
    const cell = cells + (group << 4)
    v128.store(cell, i64x2.sub(v128.load(cell), pairOf(value, bound)))
    const state = states + group * 24
    addCompensated(state, value)
    store<f64>(state, load<f64>(state, 16) + 1, 16)
    misfits++
  }
  return misfits
}

/** Adds what the cells hold to the states, and clears them; of the cells that rows may have been in since it last did. */
export function settleSums(work: usize, states: usize): void {
  if (load<u32>(work, ROWS_AT) == 0) return
  store<u32>(work, 0, ROWS_AT)
  const bound = load<f64>(work)
  const zero = i64x2.splat(0)
  const first = <usize>load<u32>(work, FIRST_AT)
  const end = work + CELLS_AT + (<usize>load<u32>(work, END_AT) << 4)
  let state = states + first * 24
  for (let cell = work + CELLS_AT + (first << 4); cell < end; cell += 16, state += 24) {
    const pair = v128.load(cell)
    if (!v128.any_true(pair)) continue
    v128.store(cell, zero)
    const high = i64x2.extract_lane(pair, 0)
    const count = (high + (ONE_ROW >> 1)) >>> COUNT_BIT
    const low = i64x2.extract_lane(pair, 1) - <i64>count * reinterpret<i64>(lowCut(bound))
    addCompensated(state, <f64>(high - (count << COUNT_BIT)) * (bound * HIGH_UNIT))
    if (abs(load<f64>(state)) < Infinity) {
      store<f64>(state, load<f64>(state, 8) + <f64>low * (bound * LOW_UNIT), 8)
    }
    store<f64>(state, load<f64>(state, 16) + <f64>count, 16)
  }
}
