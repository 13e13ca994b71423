import { selectedBits } from './bitmap-end'
import { streamRow } from './stream-row'

/** The greatest |value| of the selected rows of some steps, 0 of none. Twin: src/simd/greatest-of.ts. */
export function greatestOf(values: usize, n: i32, from: i32, end: i32, selection: usize): f64 {
  let tops = f64x2.splat(0)
  let others = tops
  let top: f64 = 0
  for (let step = from; step < end; step++) {
    const row = streamRow(step, n)
    let bits = selectedBits(selection, row, n)
    if (bits == ~(<u64>0)) {
      let at = values + (<usize>row << 3)
      for (const last = at + 512; at < last; at += 32) {
        tops = f64x2.pmax(tops, f64x2.abs(v128.load(at)))
        others = f64x2.pmax(others, f64x2.abs(v128.load(at, 16)))
      }
      continue
    }
    for (; bits != 0; bits &= bits - 1) {
      top = max(top, abs(load<f64>(values + (<usize>(row + <i32>ctz(bits)) << 3))))
    }
  }
  tops = f64x2.pmax(tops, others)
  return max(top, max(f64x2.extract_lane(tops, 0), f64x2.extract_lane(tops, 1)))
}
