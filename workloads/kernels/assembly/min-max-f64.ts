import { selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'
import { streamRow } from './stream-row'

/** Least and greatest value. Twin: src/simd/min-max-f64.ts. */
export function minMaxF64(values: usize, n: i32, selection: usize, state: usize): void {
  const above = f64x2.splat(Infinity)
  const below = f64x2.splat(-Infinity)
  let least = above
  let most = below
  let count: u64 = 0
  for (let step = 0; step < n >> 6; step++) {
    const row = streamRow(step, n)
    let at = values + (<usize>row << 3)
    const last = at + 512
    if (selection == 0) {
      count += 64
      for (; at < last; at += 64) {
        const v0 = v128.load(at)
        const v1 = v128.load(at, 16)
        const v2 = v128.load(at, 32)
        const v3 = v128.load(at, 48)
        least = f64x2.pmin(least, f64x2.pmin(f64x2.pmin(v0, v1), f64x2.pmin(v2, v3)))
        most = f64x2.pmax(most, f64x2.pmax(f64x2.pmax(v0, v1), f64x2.pmax(v2, v3)))
      }
      continue
    }
    const bits = load<u64>(selection + (row >> 3))
    if (bits == 0) continue
    count += popcnt(bits)
    let eight = i64x2.splat(bits)
    for (; at < last; at += 64) {
      const m0 = pairMask(eight, 0)
      const m1 = pairMask(eight, 1)
      const m2 = pairMask(eight, 2)
      const m3 = pairMask(eight, 3)
      const v0 = v128.load(at)
      const v1 = v128.load(at, 16)
      const v2 = v128.load(at, 32)
      const v3 = v128.load(at, 48)
      least = f64x2.pmin(least, f64x2.pmin(v128.bitselect(v0, above, m0), v128.bitselect(v1, above, m1)))
      least = f64x2.pmin(least, f64x2.pmin(v128.bitselect(v2, above, m2), v128.bitselect(v3, above, m3)))
      most = f64x2.pmax(most, f64x2.pmax(v128.bitselect(v0, below, m0), v128.bitselect(v1, below, m1)))
      most = f64x2.pmax(most, f64x2.pmax(v128.bitselect(v2, below, m2), v128.bitselect(v3, below, m3)))
      eight = i64x2.shr_u(eight, 8)
    }
  }
  let smallest = min(load<f64>(state), min(f64x2.extract_lane(least, 0), f64x2.extract_lane(least, 1)))
  let greatest = max(load<f64>(state, 8), max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1)))
  const whole = n & ~63
  if (whole < n) {
    for (let bits = selectedBits(selection, whole, n); bits != 0; bits &= bits - 1) {
      const value = load<f64>(values + (<usize>(whole + <i32>ctz(bits)) << 3))
      smallest = min(smallest, value)
      greatest = max(greatest, value)
      count++
    }
  }
  store<f64>(state, smallest + 0.0)
  store<f64>(state, greatest + 0.0, 8)
  store<f64>(state, load<f64>(state, 16) + <f64>count, 16)
}
