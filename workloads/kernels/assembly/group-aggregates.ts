import { selectedBits } from './bitmap-end'
import { addCompensated } from './two-sum'

/** Aggregates by group number, a state of 24 bytes a group. Twin: src/simd/group-aggregates.ts. */
export function groupCount(groups: usize, n: i32, selection: usize, counts: usize): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) countRow(groups, row, counts)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      countRow(groups, word + <i32>ctz(bits), counts)
    }
  }
}

@inline
function countRow(groups: usize, row: i32, counts: usize): void {
  const at = counts + (<usize>load<u32>(groups + (<usize>row << 2)) << 3)
  store<f64>(at, load<f64>(at) + 1)
}

export function groupSumF64(values: usize, groups: usize, n: i32, selection: usize, states: usize): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) addRow(values, groups, row, states)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      addRow(values, groups, word + <i32>ctz(bits), states)
    }
  }
}

@inline
function addRow(values: usize, groups: usize, row: i32, states: usize): void {
  const state = states + <usize>load<u32>(groups + (<usize>row << 2)) * 24
  addCompensated(state, load<f64>(values + (<usize>row << 3)))
  store<f64>(state, load<f64>(state, 16) + 1, 16)
}

export function groupMinMaxF64(values: usize, groups: usize, n: i32, selection: usize, states: usize): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) boundRow(values, groups, row, states)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      boundRow(values, groups, word + <i32>ctz(bits), states)
    }
  }
}

@inline
function boundRow(values: usize, groups: usize, row: i32, states: usize): void {
  const state = states + <usize>load<u32>(groups + (<usize>row << 2)) * 24
  const value = load<f64>(values + (<usize>row << 3)) + 0.0
  // Most rows change neither end; a store that does not happen is one that no later load waits for.
  if (value < load<f64>(state)) store<f64>(state, value)
  if (value > load<f64>(state, 8)) store<f64>(state, value, 8)
  store<f64>(state, load<f64>(state, 16) + 1, 16)
}

/** 1.5 · 2^84: what is added to it is rounded to a multiple of 2^32, whose multiple stands in the low bits. */
const SIGMA: f64 = 29014219670751100192948224.0
/** 1.5 · 2^52: the same for integers. */
const ONES: f64 = 6755399441055744

export function groupSumI64(values: usize, groups: usize, n: i32, selection: usize, states: usize): void {
  if (selection == 0) {
    for (let row = 0; row < n; row++) addInteger(values, groups, row, states)
    return
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      addInteger(values, groups, word + <i32>ctz(bits), states)
    }
  }
}

@inline
function addInteger(values: usize, groups: usize, row: i32, states: usize): void {
  const state = states + <usize>load<u32>(groups + (<usize>row << 2)) * 24
  const value = load<f64>(values + (<usize>row << 3))
  const sum = value + SIGMA
  const high = reinterpret<i64>(sum) - reinterpret<i64>(SIGMA)
  const low = reinterpret<i64>(value - (sum - SIGMA) + ONES) - reinterpret<i64>(ONES)
  store<i64>(state, load<i64>(state) + high)
  store<i64>(state, load<i64>(state, 8) + low, 8)
  store<i64>(state, load<i64>(state, 16) + 1, 16)
}
