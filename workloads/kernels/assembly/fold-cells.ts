import { roundingError } from './two-sum'

/* Numbers for the cells of a rollup, and their columns, a value of 8 bytes a cell. Twin: src/simd/fold-cells.ts. */
const TWO_TO_32: f64 = 4294967296
/** Rows after which it is decided anew how pairs are numbered (PAIRS_A_STEP); fewer new ones among them than this are few. */
const STEP: i32 = 256
const FEW_NEW: u32 = 16

export function fillF64(out: usize, n: i32, value: f64): void {
  const pair = f64x2.splat(value)
  let at = 0
  for (; at + 2 <= n; at += 2) v128.store(out + (<usize>at << 3), pair)
  if (at < n) store<f64>(out + (<usize>at << 3), value)
}

/**
 * Whether a pair is new is asked by a branch as long as few are, which costs half as much, else without one: nobody foresees
 * which are. What is written behind the last pair is not one yet.
 */
export function numberPairs(
  firsts: usize, seconds: usize, n: i32, width: u32, table: usize, limit: u32, used: usize, pairs: usize, out: usize,
): void {
  let count = load<u32>(used)
  let areFewNew = false
  for (let row = 0; row < n && count <= limit; row += STEP) {
    const end = min(n, row + STEP)
    const before = count
    if (areFewNew) {
      for (let at = row; at < end; at++) count = numberPair(true, firsts, seconds, at, width, table, count, pairs, out)
    } else {
      for (let at = row; at < end; at++) count = numberPair(false, firsts, seconds, at, width, table, count, pairs, out)
    }
    areFewNew = count - before < FEW_NEW
  }
  store<u32>(used, count)
}

/** Returns how many pairs there are then. */
@inline
function numberPair(
  byBranch: bool, firsts: usize, seconds: usize, row: i32, width: u32, table: usize, count: u32, pairs: usize, out: usize,
): u32 {
  const at = <usize>row << 2
  const first = load<u32>(firsts + at)
  const second = load<u32>(seconds + at)
  const cell = table + (<usize>(first * width + second) << 2)
  let place = load<u32>(cell)
  if (!byBranch || place == 0) {
    const isNew = <u32>(place == 0)
    store<u64>(pairs + (<usize>count << 3), <u64>first | (<u64>second << 32))
    count += isNew
    place |= count & (0 - isNew)
    store<u32>(cell, place)
  }
  store<u32>(out + at, place - 1)
  return count
}

export function cellAddF64(values: usize, groups: usize, n: i32, sums: usize): void {
  for (let row = 0; row < n; row++) {
    const at = sums + cellAt(groups, row)
    store<f64>(at, load<f64>(at) + load<f64>(values + (<usize>row << 3)))
  }
}

@inline
function cellAt(groups: usize, row: i32): usize {
  return <usize>load<u32>(groups + (<usize>row << 2)) << 3
}

export function cellSumF64(
  values: usize, groups: usize, n: i32, selection: usize, sums: usize, rests: usize,
): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) addFloat(values, groups, row, sums, rests)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      addFloat(values, groups, word + <i32>ctz(bits), sums, rests)
    }
  }
}

@inline
function addFloat(values: usize, groups: usize, row: i32, sums: usize, rests: usize): void {
  const at = cellAt(groups, row)
  const value = load<f64>(values + (<usize>row << 3))
  const before = load<f64>(sums + at)
  const sum = before + value
  store<f64>(sums + at, sum)
  const rest = load<f64>(rests + at) + roundingError(before, value, sum)
  store<f64>(rests + at, abs(sum) < Infinity ? rest : 0)
}

export function cellSumI64(
  values: usize, groups: usize, n: i32, selection: usize, highs: usize, lows: usize,
): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) addInteger(values, groups, row, highs, lows)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      addInteger(values, groups, word + <i32>ctz(bits), highs, lows)
    }
  }
}

/** Every operation is exact: of integers below 2^53, and a multiplication by a power of two. */
@inline
function addInteger(values: usize, groups: usize, row: i32, highs: usize, lows: usize): void {
  const at = cellAt(groups, row)
  const value = load<f64>(values + (<usize>row << 3))
  const high = floor(value * (1 / TWO_TO_32))
  const low = load<f64>(lows + at) + (value - high * TWO_TO_32)
  const carry = <f64>(<i32>(low >= TWO_TO_32))
  store<f64>(lows + at, low - carry * TWO_TO_32)
  store<f64>(highs + at, load<f64>(highs + at) + high + carry)
}

export function cellMinMaxF64(
  lows: usize, highs: usize, groups: usize, n: i32, selection: usize, mins: usize, maxs: usize,
): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) boundCell(lows, highs, groups, row, mins, maxs)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      boundCell(lows, highs, groups, word + <i32>ctz(bits), mins, maxs)
    }
  }
}

/** The least and the greatest without a branch, which vectors have: of few rows a cell every third or so changes an end. */
@inline
function boundCell(lows: usize, highs: usize, groups: usize, row: i32, mins: usize, maxs: usize): void {
  const at = cellAt(groups, row)
  const low = f64x2.splat(load<f64>(lows + (<usize>row << 3)) + 0.0)
  const high = f64x2.splat(load<f64>(highs + (<usize>row << 3)) + 0.0)
  v128.store64_lane(mins + at, f64x2.pmin(v128.load64_zero(mins + at), low), 0)
  v128.store64_lane(maxs + at, f64x2.pmax(v128.load64_zero(maxs + at), high), 0)
}
