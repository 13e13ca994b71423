import { selectedBits } from './bitmap-end'
import { greatestOf } from './greatest-of'
import { pairMask } from './row-masks'
import { streamRow } from './stream-row'
import { addCompensated, powerAbove, TOP_MAX } from './two-sum'

/*
 * At most 256 groups. A row must not wait for the store of the row before it, which is often of its own group: row r uses
 * replica r & 3 of its group's cell. Twin: src/simd/few-groups.ts.
 */

/** Adds to counts f64[256] by code; scratch: u32[256][4]. */
export function countBy8(codes: usize, n: i32, selection: usize, counts: usize, scratch: usize): void {
  clear(scratch, 4_096)
  let row = 0
  if (selection == 0) {
    for (; row + 8 <= n; row += 8) {
      const eight = load<u64>(codes + row)
      countCell(scratch, eight << 4, 0, 1)
      countCell(scratch, eight >> 4, 4, 1)
      countCell(scratch, eight >> 12, 8, 1)
      countCell(scratch, eight >> 20, 12, 1)
      countCell(scratch, eight >> 28, 0, 1)
      countCell(scratch, eight >> 36, 4, 1)
      countCell(scratch, eight >> 44, 8, 1)
      countCell(scratch, eight >> 52, 12, 1)
    }
  } else {
    for (; row + 8 <= n; row += 8) {
      const bits = <u32>load<u8>(selection + (row >> 3))
      if (bits == 0) continue
      const eight = load<u64>(codes + row)
      countCell(scratch, eight << 4, 0, bits & 1)
      countCell(scratch, eight >> 4, 4, (bits >> 1) & 1)
      countCell(scratch, eight >> 12, 8, (bits >> 2) & 1)
      countCell(scratch, eight >> 20, 12, (bits >> 3) & 1)
      countCell(scratch, eight >> 28, 0, (bits >> 4) & 1)
      countCell(scratch, eight >> 36, 4, (bits >> 5) & 1)
      countCell(scratch, eight >> 44, 8, (bits >> 6) & 1)
      countCell(scratch, eight >> 52, 12, bits >> 7)
    }
  }
  if (row < n) {
    const bits = <u32>(selectedBits(selection, row, n) & 0xff)
    for (let left = bits; left != 0; left &= left - 1) {
      countCell(scratch, <u64>load<u8>(codes + row + <i32>ctz(left)) << 4, 0, 1)
    }
  }
  for (let code = 0; code < 256; code++) {
    const cell = v128.load(scratch + (code << 4))
    if (!v128.any_true(cell)) continue
    const pairs = i32x4.add(cell, v128.shuffle<i32>(cell, cell, 2, 3, 0, 1))
    const at = counts + (code << 3)
    store<f64>(at, load<f64>(at) + <f64>(<u32>(i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1))))
  }
}

/** `shifted` has the code in bits 4 to 11: its offset in cells of 16 bytes. */
@inline
function countCell(scratch: usize, shifted: u64, replica: usize, by: u32): void {
  const at = scratch + (<usize>shifted & 0xff0) + replica
  store<u32>(at, load<u32>(at) + by)
}

@inline
function clear(from: usize, bytes: usize): void {
  const zero = i64x2.splat(0)
  for (let end = from + bytes; from < end; from += 16) v128.store(from, zero)
}

/*
 * Sums by group. Each value is split by a large `sigma` into a multiple of a unit and the rest (Rump, Ogita, Oishi,
 * SIAM J. Sci. Comput. 31(1), 2008, section 3, ExtractVector), for two rows at once and before their groups matter. The
 * multiples of a block add up exactly in every order, so one addition of the pair (sigma + multiple, rest) is all that a
 * row costs in its group's cell: how many sigmas are in the sum is how many rows the group has.
 * For values below `bound` = 2^(k - 13): sigma = 1.5 · 2^k + bound, whose last places are 2^(k - 52); the unit is 2^(k - 41),
 * so that 2^11 sums below 2^(k + 1) stay within 53 bits, and half a unit is added before the last 11 bits are cut off.
 * The multiples of a block together are below 2^(k - 2): the count is S / sigma, rounded. And sigma + value keeps its 24
 * highest bits exactly while |value| < bound: so a block is added on trust, `or` and `and` over the sums tell whether that
 * held, and if not it is done again from a bound that fits its greatest |value|.
 */
const BLOCK_STEPS: i32 = 32
const POWER_RATIO: f64 = 8192
const UNIT_RATIO: f64 = 3.725290298461914e-9 // 2^-28
/** Values may grow this much before a block is summed twice. */
const BOUND_SLACK: f64 = 8

export function sumF64By8(
  values: usize, codes: usize, n: i32, selection: usize, states: usize, scratch: usize,
): void {
  clear(scratch, 16_384)
  const steps = (n + 63) >> 6
  let bound: f64 = 1
  for (let step = 0; step < steps; step += BLOCK_STEPS) {
    const end = min(steps, step + BLOCK_STEPS)
    let last = step == 0 ? -1 : splitBlock(values, codes, n, step, end, selection, bound, scratch)
    if (last < 0) {
      const top = greatestOf(values, n, step, end, selection)
      clear(scratch, 16_384)
      if (top >= TOP_MAX) {
        sumPlainly(values, codes, n, step, end, selection, states)
        continue
      }
      if (top != 0) bound = powerAbove(top) * BOUND_SLACK
      last = splitBlock(values, codes, n, step, end, selection, bound, scratch)
    }
    foldCells(scratch, last, sigmaOf(bound), states)
  }
}

@inline
function sigmaOf(bound: f64): f64 {
  return 1.5 * POWER_RATIO * bound + bound
}

/** The greatest of 64 codes: how many cells they may have touched. */
@inline
function lastOf(most: v128, at: usize): v128 {
  return i8x16.max_u(
    i8x16.max_u(most, i8x16.max_u(v128.load(at), v128.load(at, 16))),
    i8x16.max_u(v128.load(at, 32), v128.load(at, 48)),
  )
}

@inline
function lastLane(most: v128): u32 {
  most = i8x16.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1))
  most = i8x16.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2))
  const four = <u32>i32x4.extract_lane(most, 0)
  return max(max(four & 0xff, (four >> 8) & 0xff), max((four >> 16) & 0xff, four >> 24))
}

/** Adds (sigma + multiple, rest) of two rows to their groups' cells, the first two replicas from `cells` on. */
@inline
function addPair(
  value: v128, sum: v128, kept: v128, mask: v128, masked: bool, sigma: v128, cells: usize, first: u32, second: u32,
): void {
  const cut = v128.and(sum, kept)
  const rest = f64x2.sub(value, f64x2.sub(cut, sigma))
  const counted = masked ? v128.and(cut, mask) : cut
  const a = cells + <usize>first
  const b = cells + <usize>second
  v128.store(a, f64x2.add(v128.load(a), v128.shuffle<i64>(counted, rest, 0, 2)))
  v128.store(b, f64x2.add(v128.load(b, 16), v128.shuffle<i64>(counted, rest, 1, 3)), 16)
}

/** Byte offset of the cell of row `row` of eight, whose codes are in `eight`. */
@inline
function cellOf(eight: u64, row: i32): u32 {
  return <u32>(row == 0 ? eight << 6 : eight >> (8 * row - 6)) & 0x3fc0
}

/** Adds the rows of some steps to the cells; returns the last group, or -1 if a value was not below `bound`. */
function splitBlock(
  values: usize, codes: usize, n: i32, from: i32, end: i32, selection: usize, bound: f64, scratch: usize,
): i32 {
  const sigma = f64x2.splat(sigmaOf(bound))
  const start = f64x2.splat(sigmaOf(bound) + bound * UNIT_RATIO * 0.5)
  const kept = i64x2.splat(~0x7ff)
  const upper = scratch + 32
  let most = i64x2.splat(0)
  let last: u32 = 0
  let any = sigma
  let all = sigma
  for (let step = from; step < end; step++) {
    const row = streamRow(step, n)
    const bits = selectedBits(selection, row, n)
    if (bits == 0) continue
    if (n - row >= 64) {
      most = lastOf(most, codes + <usize>row)
      let at = values + (<usize>row << 3)
      let own = codes + <usize>row
      if (bits == ~(<u64>0)) {
        for (const stop = at + 512; at < stop; at += 64) {
          const eight = load<u64>(own)
          let v = v128.load(at)
          let sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, kept, false, sigma, scratch, cellOf(eight, 0), cellOf(eight, 1))
          v = v128.load(at, 16)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, kept, false, sigma, upper, cellOf(eight, 2), cellOf(eight, 3))
          v = v128.load(at, 32)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, kept, false, sigma, scratch, cellOf(eight, 4), cellOf(eight, 5))
          v = v128.load(at, 48)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, kept, false, sigma, upper, cellOf(eight, 6), cellOf(eight, 7))
          own += 8
        }
        continue
      }
      if (popcnt(bits) > 16) {
        for (let part = 0; part < 64; part += 8) {
          const mask = i64x2.splat((bits >> part) & 0xff)
          const eight = load<u64>(own)
          let pair = pairMask(mask, 0)
          let v = v128.and(v128.load(at), pair)
          let sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, pair, true, sigma, scratch, cellOf(eight, 0), cellOf(eight, 1))
          pair = pairMask(mask, 1)
          v = v128.and(v128.load(at, 16), pair)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, pair, true, sigma, upper, cellOf(eight, 2), cellOf(eight, 3))
          pair = pairMask(mask, 2)
          v = v128.and(v128.load(at, 32), pair)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, pair, true, sigma, scratch, cellOf(eight, 4), cellOf(eight, 5))
          pair = pairMask(mask, 3)
          v = v128.and(v128.load(at, 48), pair)
          sum = f64x2.add(start, v)
          any = v128.or(any, sum)
          all = v128.and(all, sum)
          addPair(v, sum, kept, pair, true, sigma, upper, cellOf(eight, 6), cellOf(eight, 7))
          at += 64
          own += 8
        }
        continue
      }
    }
    // Few rows, or the last ones: one by one, in the same cells and so with the same bits.
    for (let left = bits; left != 0; left &= left - 1) {
      const one = row + <i32>ctz(left)
      const group = <u32>load<u8>(codes + <usize>one)
      const value = f64x2.splat(load<f64>(values + (<usize>one << 3)))
      const sum = f64x2.add(start, value)
      any = v128.or(any, sum)
      all = v128.and(all, sum)
      const cut = v128.and(sum, kept)
      const cell = scratch + (<usize>group << 6) + ((one & 3) << 4)
      const pair = v128.shuffle<i64>(cut, f64x2.sub(value, f64x2.sub(cut, sigma)), 0, 2)
      v128.store(cell, f64x2.add(v128.load(cell), pair))
      last = max(last, group)
    }
  }
  const changed = v128.and(v128.xor(any, all), i64x2.splat(<i64>0xffff_ff00_0000_0000))
  return v128.any_true(changed) ? -1 : <i32>max(last, lastLane(most))
}

/** Adds the cells of groups 0 to `last` to their states and clears them. */
function foldCells(scratch: usize, last: i32, sigma: f64, states: usize): void {
  const zero = i64x2.splat(0)
  for (let group = 0; group <= last; group++) {
    const cell = scratch + (<usize>group << 6)
    const sums = f64x2.add(
      f64x2.add(v128.load(cell), v128.load(cell, 16)),
      f64x2.add(v128.load(cell, 32), v128.load(cell, 48)),
    )
    const sum = f64x2.extract_lane(sums, 0)
    if (sum == 0) continue
    v128.store(cell, zero)
    v128.store(cell, zero, 16)
    v128.store(cell, zero, 32)
    v128.store(cell, zero, 48)
    const count = nearest(sum / sigma)
    const state = states + <usize>group * 24
    addCompensated(state, sum - count * sigma)
    if (abs(load<f64>(state)) < Infinity) store<f64>(state, load<f64>(state, 8) + f64x2.extract_lane(sums, 1), 8)
    store<f64>(state, load<f64>(state, 16) + count, 16)
  }
}

function sumPlainly(values: usize, codes: usize, n: i32, from: i32, end: i32, selection: usize, states: usize): void {
  for (let step = from; step < end; step++) {
    const first = streamRow(step, n)
    for (let bits = selectedBits(selection, first, n); bits != 0; bits &= bits - 1) {
      const row = first + <i32>ctz(bits)
      const state = states + <usize>load<u8>(codes + <usize>row) * 24
      addCompensated(state, load<f64>(values + (<usize>row << 3)))
      store<f64>(state, load<f64>(state, 16) + 1, 16)
    }
  }
}
