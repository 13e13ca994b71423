import { selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'
import { streamRow } from './stream-row'

/*
 * An exact sum of integers below 2^53 that are held as float64, in the four operations of sum-f64.ts: under a start value
 * of 1.5 · 2^75 a lane holds multiples of 2^23 and its errors integers up to 2^22, so of 2^16 rows neither rounds.
 * Twin: src/simd/sum-i64.ts.
 */
const SIGMA: f64 = 56668397794435742564352.0 // 1.5 · 2^75
const UNIT: f64 = 8388608 // 2^23

export function sumI64(values: usize, n: i32, selection: usize, state: usize): void {
  if (selection == 0) sumAll(values, n, state)
  else sumSelected(values, n, selection, state)
  // The rows behind the last whole step, at most 63 below 2^53.
  const whole = n & ~63
  let rest: i64 = 0
  let count: i64 = 0
  if (whole < n) {
    for (let bits = selectedBits(selection, whole, n); bits != 0; bits &= bits - 1) {
      rest += <i64>load<f64>(values + (<usize>(whole + <i32>ctz(bits)) << 3))
      count++
    }
  }
  addExact(state, 0, rest, count)
}

/** Adds units · 2^23 + rest. */
function addExact(state: usize, units: i64, rest: i64, count: i64): void {
  const low = load<i64>(state, 8) + ((units & 511) << 23) + (rest & 0xffff_ffff)
  store<i64>(state, load<i64>(state) + (units >> 9) + (rest >> 32) + (low >> 32))
  store<i64>(state, low & 0xffff_ffff, 8)
  store<i64>(state, load<i64>(state, 16) + count, 16)
}

/** Sums of four lanes are still exact: multiples of 2^23 below 2^71, integers below 2^41. */
@inline
function foldLanes(
  state: usize, count: i64, s0: v128, s1: v128, s2: v128, s3: v128, e0: v128, e1: v128, e2: v128, e3: v128,
): void {
  const sigmas = f64x2.splat(SIGMA)
  const sums = f64x2.add(
    f64x2.add(f64x2.sub(s0, sigmas), f64x2.sub(s1, sigmas)),
    f64x2.add(f64x2.sub(s2, sigmas), f64x2.sub(s3, sigmas)),
  )
  const errors = f64x2.add(f64x2.add(e0, e1), f64x2.add(e2, e3))
  const units = <i64>((f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)) * (1 / UNIT))
  addExact(state, units, <i64>(f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1)), count)
}

function sumAll(values: usize, n: i32, state: usize): void {
  let s0 = f64x2.splat(SIGMA)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  for (let step = 0; step < n >> 6; step++) {
    let at = values + (<usize>streamRow(step, n) << 3)
    for (const last = at + 512; at < last; at += 64) {
      let v = v128.load(at)
      let t = f64x2.add(s0, v)
      e0 = f64x2.add(e0, f64x2.sub(v, f64x2.sub(t, s0)))
      s0 = t
      v = v128.load(at, 16)
      t = f64x2.add(s1, v)
      e1 = f64x2.add(e1, f64x2.sub(v, f64x2.sub(t, s1)))
      s1 = t
      v = v128.load(at, 32)
      t = f64x2.add(s2, v)
      e2 = f64x2.add(e2, f64x2.sub(v, f64x2.sub(t, s2)))
      s2 = t
      v = v128.load(at, 48)
      t = f64x2.add(s3, v)
      e3 = f64x2.add(e3, f64x2.sub(v, f64x2.sub(t, s3)))
      s3 = t
    }
  }
  foldLanes(state, n & ~63, s0, s1, s2, s3, e0, e1, e2, e3)
}

function sumSelected(values: usize, n: i32, selection: usize, state: usize): void {
  let s0 = f64x2.splat(SIGMA)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  let count: i64 = 0
  for (let step = 0; step < n >> 6; step++) {
    const row = streamRow(step, n)
    const bits = load<u64>(selection + (row >> 3))
    if (bits == 0) continue
    count += popcnt(bits)
    let eight = i64x2.splat(bits)
    let at = values + (<usize>row << 3)
    for (const last = at + 512; at < last; at += 64) {
      let v = v128.and(v128.load(at), pairMask(eight, 0))
      let t = f64x2.add(s0, v)
      e0 = f64x2.add(e0, f64x2.sub(v, f64x2.sub(t, s0)))
      s0 = t
      v = v128.and(v128.load(at, 16), pairMask(eight, 1))
      t = f64x2.add(s1, v)
      e1 = f64x2.add(e1, f64x2.sub(v, f64x2.sub(t, s1)))
      s1 = t
      v = v128.and(v128.load(at, 32), pairMask(eight, 2))
      t = f64x2.add(s2, v)
      e2 = f64x2.add(e2, f64x2.sub(v, f64x2.sub(t, s2)))
      s2 = t
      v = v128.and(v128.load(at, 48), pairMask(eight, 3))
      t = f64x2.add(s3, v)
      e3 = f64x2.add(e3, f64x2.sub(v, f64x2.sub(t, s3)))
      s3 = t
      eight = i64x2.shr_u(eight, 8)
    }
  }
  foldLanes(state, count, s0, s1, s2, s3, e0, e1, e2, e3)
}
