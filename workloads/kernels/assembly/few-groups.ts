import { firstBits, selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'
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
 * Sums by group. Each value is split by a large `sigma` into a multiple of its last place and the rest
 * (Rump, Ogita, Oishi, SIAM J. Sci. Comput. 31(1), 2008, section 3, ExtractVector), for two rows at once and before their
 * groups matter. The multiples of a block add up exactly in every order, so one addition of the pair
 * (multiple + ROW, rest) is all that a row costs in its group's cell; ROW, larger than all multiples together can become,
 * counts the rows in the high bits of the same sum. Bounds are found block by block as in sum-f64.ts.
 * With bound b: |multiples| ≤ 2^11 · b, ROW = 2^13 · b, a sum ≤ 2^24.01 · b in units of 2^-28 · b: within 53 bits.
 */
const BLOCK_ROWS: i32 = 2_048
const SIGMA_RATIO: f64 = 25165824 // 1.5 · 2^24
const ROW_RATIO: f64 = 8192
const BOUND_SLACK: f64 = 256

export function sumF64By8(
  values: usize, codes: usize, n: i32, selection: usize, states: usize, scratch: usize,
): void {
  sumFew<u8>(values, codes, n, selection, states, scratch)
}

export function groupSumF64Few(
  values: usize, groups: usize, n: i32, selection: usize, states: usize, scratch: usize,
): void {
  sumFew<u32>(values, groups, n, selection, states, scratch)
}

function sumFew<T>(values: usize, groups: usize, n: i32, selection: usize, states: usize, scratch: usize): void {
  clear(scratch, 16_384)
  let bound: f64 = 0
  for (let first = 0; first < n; first += BLOCK_ROWS) {
    const rows = min(BLOCK_ROWS, n - first)
    const block = values + (<usize>first << 3)
    const own = groups + <usize>first * sizeof<T>()
    const selected = selection != 0 ? selection + (first >> 3) : 0
    const last = lastGroup<T>(own, rows)
    let top = splitBlock<T>(block, own, rows, selected, bound, scratch)
    if (top >= bound) {
      clear(scratch, <usize>(last + 1) << 6)
      if (top >= TOP_MAX) {
        sumPlainly<T>(block, own, rows, selected, states)
        continue
      }
      // Nothing but zeros has any bound.
      bound = top == 0 ? 1 : powerAbove(top)
      splitBlock<T>(block, own, rows, selected, bound, scratch)
    }
    foldCells(scratch, last, bound, states)
    if (top != 0 && top * BOUND_SLACK < bound) bound = powerAbove(top)
  }
}

/** The greatest group number of a block: how many cells it may have touched. */
@inline
function lastGroup<T>(groups: usize, n: i32): u32 {
  let row = 0
  let last: u32 = 0
  let most = i64x2.splat(0)
  if (sizeof<T>() == 1) {
    for (; row + 16 <= n; row += 16) most = i8x16.max_u(most, v128.load(groups + row))
    most = i8x16.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1))
    most = i8x16.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2))
    const four = i32x4.extract_lane(most, 0)
    last = max(max(four & 0xff, (four >> 8) & 0xff), max((four >> 16) & 0xff, <u32>four >> 24))
  } else {
    for (; row + 4 <= n; row += 4) most = i32x4.max_u(most, v128.load(groups + (<usize>row << 2)))
    most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1))
    last = max(<u32>i32x4.extract_lane(most, 0), <u32>i32x4.extract_lane(most, 1))
  }
  for (; row < n; row++) last = max(last, <u32>load<T>(groups + <usize>row * sizeof<T>()))
  return last
}

/** Adds (multiple + ROW, rest) of two rows to their groups' cells, replicas `replica` and `replica + 1`. */
@inline
function addPair<T>(
  value: v128, mask: v128, masked: bool, groups: usize, pair: i32,
  sigma: v128, shift: v128, scratch: usize, first: u32, second: u32,
): void {
  const sum = f64x2.add(sigma, value)
  const multiple = f64x2.sub(sum, sigma)
  const rest = f64x2.sub(value, multiple)
  const counted = masked ? v128.and(f64x2.sub(sum, shift), mask) : f64x2.sub(sum, shift)
  const replica = <usize>((pair & 1) << 5)
  const a = scratch + <usize>first + replica
  const b = scratch + <usize>second + replica
  v128.store(a, f64x2.add(v128.load(a), v128.shuffle<i64>(counted, rest, 0, 2)))
  v128.store(b, f64x2.add(v128.load(b, 16), v128.shuffle<i64>(counted, rest, 1, 3)), 16)
}

/** Byte offset of the cell of row `row` of eight; `eight` holds their codes if they are bytes. */
@inline
function cellOf<T>(groups: usize, eight: u64, row: i32): u32 {
  if (sizeof<T>() == 1) return <u32>(row == 0 ? eight << 6 : eight >> (8 * row - 6)) & 0x3fc0
  return load<u32>(groups + (<usize>row << 2)) << 6
}

/** Returns the greatest |value|. The cells are right if that is below `bound`. */
function splitBlock<T>(
  values: usize, groups: usize, n: i32, selection: usize, bound: f64, scratch: usize,
): f64 {
  const sigma = f64x2.splat(bound * SIGMA_RATIO)
  const shift = f64x2.splat(bound * SIGMA_RATIO - bound * ROW_RATIO)
  let most = f64x2.splat(0)
  let least = most
  const whole = n & ~7
  let row = 0
  if (selection == 0) {
    for (; row < whole; row += 8) {
      const at = values + (<usize>row << 3)
      const own = groups + <usize>row * sizeof<T>()
      const eight = sizeof<T>() == 1 ? load<u64>(own) : 0
      const v0 = v128.load(at)
      const v1 = v128.load(at, 16)
      const v2 = v128.load(at, 32)
      const v3 = v128.load(at, 48)
      most = f64x2.pmax(f64x2.pmax(most, v0), f64x2.pmax(v1, f64x2.pmax(v2, v3)))
      least = f64x2.pmin(f64x2.pmin(least, v0), f64x2.pmin(v1, f64x2.pmin(v2, v3)))
      addPair<T>(v0, v0, false, own, 0, sigma, shift, scratch, cellOf<T>(own, eight, 0), cellOf<T>(own, eight, 1))
      addPair<T>(v1, v1, false, own, 1, sigma, shift, scratch, cellOf<T>(own, eight, 2), cellOf<T>(own, eight, 3))
      addPair<T>(v2, v2, false, own, 2, sigma, shift, scratch, cellOf<T>(own, eight, 4), cellOf<T>(own, eight, 5))
      addPair<T>(v3, v3, false, own, 3, sigma, shift, scratch, cellOf<T>(own, eight, 6), cellOf<T>(own, eight, 7))
    }
  } else {
    for (; row < whole; row += 8) {
      const byte = load<u8>(selection + (row >> 3))
      if (byte == 0) continue
      const bits = i64x2.splat(byte)
      const at = values + (<usize>row << 3)
      const own = groups + <usize>row * sizeof<T>()
      const eight = sizeof<T>() == 1 ? load<u64>(own) : 0
      const m0 = pairMask(bits, 0)
      const m1 = pairMask(bits, 1)
      const m2 = pairMask(bits, 2)
      const m3 = pairMask(bits, 3)
      const v0 = v128.and(v128.load(at), m0)
      const v1 = v128.and(v128.load(at, 16), m1)
      const v2 = v128.and(v128.load(at, 32), m2)
      const v3 = v128.and(v128.load(at, 48), m3)
      most = f64x2.pmax(f64x2.pmax(most, v0), f64x2.pmax(v1, f64x2.pmax(v2, v3)))
      least = f64x2.pmin(f64x2.pmin(least, v0), f64x2.pmin(v1, f64x2.pmin(v2, v3)))
      addPair<T>(v0, m0, true, own, 0, sigma, shift, scratch, cellOf<T>(own, eight, 0), cellOf<T>(own, eight, 1))
      addPair<T>(v1, m1, true, own, 1, sigma, shift, scratch, cellOf<T>(own, eight, 2), cellOf<T>(own, eight, 3))
      addPair<T>(v2, m2, true, own, 2, sigma, shift, scratch, cellOf<T>(own, eight, 4), cellOf<T>(own, eight, 5))
      addPair<T>(v3, m3, true, own, 3, sigma, shift, scratch, cellOf<T>(own, eight, 6), cellOf<T>(own, eight, 7))
    }
  }
  let top = maxAbs(most, least)
  if (row < n) {
    for (let bits = selectedBits(selection, row, n) & 0xff; bits != 0; bits &= bits - 1) {
      const one = row + <i32>ctz(bits)
      const value = load<f64>(values + (<usize>one << 3))
      top = max(top, abs(value))
      const sum = bound * SIGMA_RATIO + value
      const counted = sum - (bound * SIGMA_RATIO - bound * ROW_RATIO)
      const cell = scratch + (<usize>load<T>(groups + <usize>one * sizeof<T>()) << 6) + ((one & 3) << 4)
      store<f64>(cell, load<f64>(cell) + counted)
      store<f64>(cell, load<f64>(cell, 8) + (value - (sum - bound * SIGMA_RATIO)), 8)
    }
  }
  return top
}

@inline
function maxAbs(most: v128, least: v128): f64 {
  const tops = f64x2.pmax(most, f64x2.neg(least))
  return max(f64x2.extract_lane(tops, 0), f64x2.extract_lane(tops, 1))
}

/** Adds the cells of groups 0 to `last` to their states and clears them. */
function foldCells(scratch: usize, last: u32, bound: f64, states: usize): void {
  const row = bound * ROW_RATIO
  const reciprocal = 1 / row
  const zero = i64x2.splat(0)
  for (let group: u32 = 0; group <= last; group++) {
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
    const count = nearest(sum * reciprocal)
    const state = states + <usize>group * 24
    addCompensated(state, sum - count * row)
    if (abs(load<f64>(state)) < Infinity) store<f64>(state, load<f64>(state, 8) + f64x2.extract_lane(sums, 1), 8)
    store<f64>(state, load<f64>(state, 16) + count, 16)
  }
}

function sumPlainly<T>(values: usize, groups: usize, n: i32, selection: usize, states: usize): void {
  for (let word = 0; word < n; word += 64) {
    for (let bits = selectedBits(selection, word, n); bits != 0; bits &= bits - 1) {
      const row = word + <i32>ctz(bits)
      const state = states + <usize>load<T>(groups + <usize>row * sizeof<T>()) * 24
      addCompensated(state, load<f64>(values + (<usize>row << 3)))
      store<f64>(state, load<f64>(state, 16) + 1, 16)
    }
  }
}
