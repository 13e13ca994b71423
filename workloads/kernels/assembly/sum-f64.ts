import { selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'
import { streamRow } from './stream-row'
import { greatestOf } from './greatest-of'
import { addCompensated, powerAbove, TOP_MAX } from './two-sum'

/*
 * A compensated sum in four operations a vector, where TwoSum takes seven: a lane that starts at `sigma`, larger than all
 * that it will meet, needs only Fast2Sum (Dekker, Numerische Mathematik 18, 1971, p. 224) to get the exact error of each
 * addition. The idea of a large start value: Rump, Ogita, Oishi, SIAM J. Sci. Comput. 31(1), 2008, section 3.
 * What is larger is not known before, and greatest values cost more than the sum itself. But while a lane stays in the
 * power of two of its start, every value was smaller than it, so a block is summed on trust, and `or` and `and` over its
 * lanes tell afterwards whether sign and exponent ever changed. Then the block, still in the second cache, is summed again
 * from a start that fits its greatest |value|.
 * Row r belongs to lane r & 7, in the order of stream-row.ts; the rows behind the last whole step are added one by one. Twin: src/simd/sum-f64.ts.
 */
const BLOCK_STEPS: i32 = 256
/** The first bound fits the first rows. */
const SAMPLE_STEPS: i32 = 4
/** sigma / bound is 1.5 · 2^12: 2,048 rows of a lane, each below bound / BOUND_SLACK, hardly move it. */
const SIGMA_RATIO: f64 = 6_144
/** Values may be this much greater than those that gave the bound before a block is summed twice. */
const BOUND_SLACK: f64 = 64

export function sumF64(values: usize, n: i32, selection: usize, state: usize): void {
  const steps = n >> 6
  const sample = greatestOf(values, n, 0, min(steps, SAMPLE_STEPS), selection)
  let bound = sample == 0 || sample >= TOP_MAX ? 0 : powerAbove(sample) * BOUND_SLACK
  let count: u64 = n
  if (selection != 0) {
    count = 0
    for (let word = 0; word < n; word += 64) count += popcnt(load<u64>(selection + (word >> 3)))
  }
  for (let step = 0; step < steps; step += BLOCK_STEPS) {
    const end = min(steps, step + BLOCK_STEPS)
    if (bound != 0 && sumBlock(values, n, step, end, selection, bound * SIGMA_RATIO, state)) continue
    const top = greatestOf(values, n, step, end, selection)
    if (top == 0) continue
    if (top >= TOP_MAX) {
      sumPlainly(values, n, step, end, selection, state)
      continue
    }
    bound = powerAbove(top) * BOUND_SLACK
    sumBlock(values, n, step, end, selection, bound * SIGMA_RATIO, state)
  }
  sumPlainly(values, n, steps, (n + 63) >> 6, selection, state)
  store<f64>(state, load<f64>(state, 16) + <f64>count, 16)
  endSum(state)
}

/** A sum that overflowed both ways is infinite, never NaN. */
function endSum(state: usize): void {
  const sum = load<f64>(state)
  if (sum != sum) store<f64>(state, Infinity)
  if (!(abs(sum) < Infinity)) store<f64>(state, 0, 8)
}

/** Adds the rows of whole steps to the state; does not, and says false, if a lane left the power of two of `sigma`. */
function sumBlock(values: usize, n: i32, from: i32, end: i32, selection: usize, sigma: f64, state: usize): bool {
  return selection == 0
    ? sumAll(values, n, from, end, sigma, state)
    : sumSelected(values, n, from, end, selection, sigma, state)
}

function sumAll(values: usize, n: i32, from: i32, end: i32, sigma: f64, state: usize): bool {
  let s0 = f64x2.splat(sigma)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  let any = s0
  let all = s0
  for (let step = from; step < end; step++) {
    let at = values + (<usize>streamRow(step, n) << 3)
    for (const last = at + 512; at < last; at += 64) {
      let v = v128.load(at)
      let t = f64x2.add(s0, v)
      e0 = f64x2.add(e0, f64x2.sub(v, f64x2.sub(t, s0)))
      s0 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.load(at, 16)
      t = f64x2.add(s1, v)
      e1 = f64x2.add(e1, f64x2.sub(v, f64x2.sub(t, s1)))
      s1 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.load(at, 32)
      t = f64x2.add(s2, v)
      e2 = f64x2.add(e2, f64x2.sub(v, f64x2.sub(t, s2)))
      s2 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.load(at, 48)
      t = f64x2.add(s3, v)
      e3 = f64x2.add(e3, f64x2.sub(v, f64x2.sub(t, s3)))
      s3 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
    }
  }
  return foldLanes(sigma, s0, s1, s2, s3, e0, e1, e2, e3, any, all, state)
}

/** An unselected row adds 0 to its lane; 64 rows of which none is selected are passed over. */
function sumSelected(
  values: usize, n: i32, from: i32, end: i32, selection: usize, sigma: f64, state: usize,
): bool {
  let s0 = f64x2.splat(sigma)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  let any = s0
  let all = s0
  for (let step = from; step < end; step++) {
    const row = streamRow(step, n)
    const bits = load<u64>(selection + (row >> 3))
    if (bits == 0) continue
    let eight = i64x2.splat(bits)
    let at = values + (<usize>row << 3)
    for (const last = at + 512; at < last; at += 64) {
      let v = v128.and(v128.load(at), pairMask(eight, 0))
      let t = f64x2.add(s0, v)
      e0 = f64x2.add(e0, f64x2.sub(v, f64x2.sub(t, s0)))
      s0 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.and(v128.load(at, 16), pairMask(eight, 1))
      t = f64x2.add(s1, v)
      e1 = f64x2.add(e1, f64x2.sub(v, f64x2.sub(t, s1)))
      s1 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.and(v128.load(at, 32), pairMask(eight, 2))
      t = f64x2.add(s2, v)
      e2 = f64x2.add(e2, f64x2.sub(v, f64x2.sub(t, s2)))
      s2 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      v = v128.and(v128.load(at, 48), pairMask(eight, 3))
      t = f64x2.add(s3, v)
      e3 = f64x2.add(e3, f64x2.sub(v, f64x2.sub(t, s3)))
      s3 = t
      any = v128.or(any, t)
      all = v128.and(all, t)
      eight = i64x2.shr_u(eight, 8)
    }
  }
  return foldLanes(sigma, s0, s1, s2, s3, e0, e1, e2, e3, any, all, state)
}

@inline
function foldLanes(
  sigma: f64, s0: v128, s1: v128, s2: v128, s3: v128, e0: v128, e1: v128, e2: v128, e3: v128,
  any: v128, all: v128, state: usize,
): bool {
  const changed = v128.and(v128.xor(any, all), i64x2.splat(<i64>0xfff0_0000_0000_0000))
  if (v128.any_true(changed)) return false
  addLanes(state, sigma, s0)
  addLanes(state, sigma, s1)
  addLanes(state, sigma, s2)
  addLanes(state, sigma, s3)
  const errors = f64x2.add(f64x2.add(e0, e1), f64x2.add(e2, e3))
  const error = f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1)
  store<f64>(state, load<f64>(state, 8) + error, 8)
  return true
}

@inline
function addLanes(state: usize, sigma: f64, sums: v128): void {
  addCompensated(state, f64x2.extract_lane(sums, 0) - sigma)
  addCompensated(state, f64x2.extract_lane(sums, 1) - sigma)
}

function sumPlainly(values: usize, n: i32, from: i32, end: i32, selection: usize, state: usize): void {
  for (let step = from; step < end; step++) {
    const row = streamRow(step, n)
    for (let bits = selectedBits(selection, row, n); bits != 0; bits &= bits - 1) {
      addCompensated(state, load<f64>(values + (<usize>(row + <i32>ctz(bits)) << 3)))
    }
  }
}
