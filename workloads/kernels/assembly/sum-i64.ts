import { firstBits, selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'

/*
 * An exact sum of integers below 2^53 that are held as float64, in the four operations of sum-f64.ts: under a start value
 * of 1.5 · 2^75 a lane holds multiples of 2^23 and its errors integers up to 2^22, so of 2^16 rows neither rounds.
 * Twin: src/simd/sum-i64.ts.
 */
const SIGMA: f64 = 56668397794435742564352.0 // 1.5 · 2^75
const UNIT: f64 = 8388608 // 2^23

export function sumI64(values: usize, n: i32, selection: usize, state: usize): void {
  let s0 = f64x2.splat(SIGMA)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  let count: u64 = 0
  const whole = n & ~7
  if (selection == 0) {
    count = n
    for (let row = 0; row < whole; row += 8) {
      const at = values + (<usize>row << 3)
      const v0 = v128.load(at)
      const v1 = v128.load(at, 16)
      const v2 = v128.load(at, 32)
      const v3 = v128.load(at, 48)
      const t0 = f64x2.add(s0, v0)
      const t1 = f64x2.add(s1, v1)
      const t2 = f64x2.add(s2, v2)
      const t3 = f64x2.add(s3, v3)
      e0 = f64x2.add(e0, f64x2.sub(v0, f64x2.sub(t0, s0)))
      e1 = f64x2.add(e1, f64x2.sub(v1, f64x2.sub(t1, s1)))
      e2 = f64x2.add(e2, f64x2.sub(v2, f64x2.sub(t2, s2)))
      e3 = f64x2.add(e3, f64x2.sub(v3, f64x2.sub(t3, s3)))
      s0 = t0
      s1 = t1
      s2 = t2
      s3 = t3
    }
  } else {
    for (let word = 0; word < n; word += 64) {
      let rest = load<u64>(selection + (word >> 3))
      const chosen = popcnt(rest)
      count += chosen
      if (word + 64 > whole) rest &= firstBits(whole - word)
      for (let part = 0; part < 64 && rest != 0; part += 8) {
        if (chosen <= 8) part = <i32>ctz(rest) & ~7
        const bits = i64x2.splat((rest >> part) & 0xff)
        rest &= ~((<u64>0xff) << part)
        const at = values + (<usize>(word + part) << 3)
        const v0 = v128.and(v128.load(at), pairMask(bits, 0))
        const v1 = v128.and(v128.load(at, 16), pairMask(bits, 1))
        const v2 = v128.and(v128.load(at, 32), pairMask(bits, 2))
        const v3 = v128.and(v128.load(at, 48), pairMask(bits, 3))
        const t0 = f64x2.add(s0, v0)
        const t1 = f64x2.add(s1, v1)
        const t2 = f64x2.add(s2, v2)
        const t3 = f64x2.add(s3, v3)
        e0 = f64x2.add(e0, f64x2.sub(v0, f64x2.sub(t0, s0)))
        e1 = f64x2.add(e1, f64x2.sub(v1, f64x2.sub(t1, s1)))
        e2 = f64x2.add(e2, f64x2.sub(v2, f64x2.sub(t2, s2)))
        e3 = f64x2.add(e3, f64x2.sub(v3, f64x2.sub(t3, s3)))
        s0 = t0
        s1 = t1
        s2 = t2
        s3 = t3
      }
    }
  }
  // Sums of four lanes are still exact: multiples of 2^23 below 2^71, integers below 2^41.
  const sigmas = f64x2.splat(SIGMA)
  const sums = f64x2.add(
    f64x2.add(f64x2.sub(s0, sigmas), f64x2.sub(s1, sigmas)),
    f64x2.add(f64x2.sub(s2, sigmas), f64x2.sub(s3, sigmas)),
  )
  const errors = f64x2.add(f64x2.add(e0, e1), f64x2.add(e2, e3))
  const units = <i64>((f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)) * (1 / UNIT))
  let rest = <i64>(f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1))
  if (whole < n) {
    const bits = selectedBits(selection, whole, n)
    for (let row = whole; row < n; row++) {
      // At most seven rows below 2^53.
      if ((bits >> (row - whole)) & 1) rest += <i64>load<f64>(values + (<usize>row << 3))
    }
  }
  const low = load<i64>(state, 8) + ((units & 511) << 23) + (rest & 0xffff_ffff)
  store<i64>(state, load<i64>(state) + (units >> 9) + (rest >> 32) + (low >> 32))
  store<i64>(state, low & 0xffff_ffff, 8)
  store<i64>(state, load<i64>(state, 16) + count, 16)
}
