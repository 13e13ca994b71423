import { firstBits, selectedBits } from './bitmap-end'
import { pairMask } from './row-masks'
import { addCompensated, powerAbove, TOP_MAX } from './two-sum'

/*
 * A compensated sum in four operations a vector, where TwoSum takes seven: a lane that starts at `sigma`, larger than all
 * that it will meet, needs only Fast2Sum (Dekker, Numerische Mathematik 18, 1971, p. 224) to get the exact error of each
 * addition. The idea of a large start value: Rump, Ogita, Oishi, SIAM J. Sci. Comput. 31(1), 2008, section 3. What is
 * larger is not known before: a block of rows is summed under the bound of the block before, its greatest |value| is kept
 * beside, and where that breaks the bound, the block, which is still in the first cache, is summed again.
 * Row r belongs to lane r & 7; the lanes of a block add up exactly, then TwoSum takes them. Twin: src/simd/sum-f64.ts.
 */
const BLOCK_ROWS: i32 = 2_048
/** sigma / bound: the rows of a block stay below half of sigma. */
const SIGMA_RATIO: f64 = 4_096
/** A bound so far above the values that they would all be rounded away is lowered. */
const BOUND_SLACK: f64 = 256

export function sumF64(values: usize, n: i32, selection: usize, state: usize): void {
  let bound: f64 = 0
  let count: u64 = 0
  for (let first = 0; first < n; first += BLOCK_ROWS) {
    const rows = min(BLOCK_ROWS, n - first)
    const block = values + (<usize>first << 3)
    const selected = selection != 0 ? selection + (first >> 3) : 0
    if (selected != 0) {
      let chosen: u64 = 0
      for (let row = 0; row < rows; row += 64) chosen += popcnt(load<u64>(selected + (row >> 3)))
      if (chosen == 0) continue
      count += chosen
    } else count += rows
    let top = sumBlock(block, rows, selected, bound, state)
    if (top >= bound && top != 0) {
      if (top >= TOP_MAX) {
        sumPlainly(block, rows, selected, state)
        continue
      }
      bound = powerAbove(top)
      top = sumBlock(block, rows, selected, bound, state)
    } else if (top != 0 && top * BOUND_SLACK < bound) bound = powerAbove(top)
  }
  store<f64>(state, load<f64>(state, 16) + <f64>count, 16)
  endSum(state)
}

/** A sum that overflowed both ways is infinite, never NaN. */
function endSum(state: usize): void {
  const sum = load<f64>(state)
  if (sum != sum) store<f64>(state, Infinity)
  if (!(abs(sum) < Infinity)) store<f64>(state, 0, 8)
}

/** Returns the greatest |value|, and has added the block to the state if that is below `bound`, or nothing but zeros. */
function sumBlock(values: usize, n: i32, selection: usize, bound: f64, state: usize): f64 {
  const sigma = bound * SIGMA_RATIO
  let s0 = f64x2.splat(sigma)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let e0 = f64x2.splat(0)
  let e1 = e0
  let e2 = e0
  let e3 = e0
  let most = e0
  let least = e0
  let row = 0
  const whole = n & ~7
  if (selection == 0) {
    for (; row < whole; row += 8) {
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
      most = f64x2.pmax(f64x2.pmax(most, v0), f64x2.pmax(v1, f64x2.pmax(v2, v3)))
      least = f64x2.pmin(f64x2.pmin(least, v0), f64x2.pmin(v1, f64x2.pmin(v2, v3)))
    }
  } else {
    for (let word = 0; word < whole; word += 64) {
      let rest = load<u64>(selection + (word >> 3))
      if (word + 64 > whole) rest &= firstBits(whole - word)
      const dense = popcnt(rest) > 8
      // Few rows: only the bytes that hold one. An unselected row adds 0 to its lane, so both ways give the same bits.
      for (let part = 0; part < 64 && rest != 0; part += 8) {
        if (!dense) part = <i32>ctz(rest) & ~7
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
        most = f64x2.pmax(f64x2.pmax(most, v0), f64x2.pmax(v1, f64x2.pmax(v2, v3)))
        least = f64x2.pmin(f64x2.pmin(least, v0), f64x2.pmin(v1, f64x2.pmin(v2, v3)))
      }
    }
    row = whole
  }
  if (row < n) {
    const bits = i64x2.splat(selectedBits(selection, row, n) & 0xff)
    const at = values + (<usize>row << 3)
    const v0 = v128.and(v128.load(at), pairMask(bits, 0))
    const v1 = row + 2 < n ? v128.and(v128.load(at, 16), pairMask(bits, 1)) : f64x2.splat(0)
    const v2 = row + 4 < n ? v128.and(v128.load(at, 32), pairMask(bits, 2)) : f64x2.splat(0)
    const v3 = row + 6 < n ? v128.and(v128.load(at, 48), pairMask(bits, 3)) : f64x2.splat(0)
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
    most = f64x2.pmax(f64x2.pmax(most, v0), f64x2.pmax(v1, f64x2.pmax(v2, v3)))
    least = f64x2.pmin(f64x2.pmin(least, v0), f64x2.pmin(v1, f64x2.pmin(v2, v3)))
  }
  const tops = f64x2.pmax(most, f64x2.neg(least))
  const top = max(f64x2.extract_lane(tops, 0), f64x2.extract_lane(tops, 1))
  if (top >= bound && top != 0) return top
  // Exact: together at most half of sigma, in units of its last place.
  const sigmas = f64x2.splat(sigma)
  const sums = f64x2.add(
    f64x2.add(f64x2.sub(s0, sigmas), f64x2.sub(s1, sigmas)),
    f64x2.add(f64x2.sub(s2, sigmas), f64x2.sub(s3, sigmas)),
  )
  const errors = f64x2.add(f64x2.add(e0, e1), f64x2.add(e2, e3))
  addCompensated(state, f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1))
  const error = f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1)
  store<f64>(state, load<f64>(state, 8) + error, 8)
  return top
}

function sumPlainly(values: usize, n: i32, selection: usize, state: usize): void {
  for (let word = 0; word < n; word += 64) {
    for (let bits = selectedBits(selection, word, n); bits != 0; bits &= bits - 1) {
      addCompensated(state, load<f64>(values + (<usize>(word + <i32>ctz(bits)) << 3)))
    }
  }
}
