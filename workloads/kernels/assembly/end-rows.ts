import { selectedBits } from './bitmap-end'

/*
 * The first or the last row of each group by event time. A row is one number, time · 2^32 + row + 1, so that of equal times
 * the later row of the log is greater; for the first row all its bits are turned over. Twin: src/simd/end-rows.ts.
 */
export function groupEndRows(
  last: i32, times: usize, groups: usize, n: i32, selection: usize, ends: usize, touched: usize,
): i32 {
  return last != 0
    ? endRows(true, times, groups, n, selection, ends, touched)
    : endRows(false, times, groups, n, selection, ends, touched)
}

@inline
function endRows(
  last: bool, times: usize, groups: usize, n: i32, selection: usize, ends: usize, touched: usize,
): i32 {
  let count = 0
  for (let word = 0; word < n; word += 64) {
    const bits = selectedBits(selection, word, n)
    if (bits == ~(<u64>0)) {
      for (let row = word; row < word + 64; row++) count += endRow(last, times, groups, row, ends, touched, count)
      continue
    }
    for (let left = bits; left != 0; left &= left - 1) {
      count += endRow(last, times, groups, word + <i32>ctz(left), ends, touched, count)
    }
  }
  return count
}

/** 1 when the row is the first of its group. */
@inline
function endRow(last: bool, times: usize, groups: usize, row: i32, ends: usize, touched: usize, count: i32): i32 {
  const group = groups != 0 ? load<u32>(groups + (<usize>row << 2)) : 0
  const place = (<u64>load<u32>(times + (<usize>row << 2)) << 32) + <u64>(row + 1)
  const key = last ? place : ~place
  const at = ends + (<usize>group << 3)
  const held = load<u64>(at)
  if (key <= held) return 0
  store<u64>(at, key)
  if (held != 0) return 0
  store<u32>(touched + (<usize>count << 2), group)
  return 1
}
