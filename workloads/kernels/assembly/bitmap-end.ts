/** Bytes of a bitmap of `n` rows with its padding: a multiple of 16, so that vectors never cross its end. */
@inline
export function bitmapBytes(n: i32): i32 {
  return ((n + 127) >> 7) << 4
}

/** Zeroes the bytes of a bitmap from `written` (bytes) to the end of its padding. */
export function endBitmap(out: usize, written: i32, n: i32): void {
  const end = bitmapBytes(n)
  for (let byte = written; byte < end; byte++) store<u8>(out + byte, 0)
}

/** The bits of the last, incomplete 64 rows: `rows` ones from bit 0, 0 ≤ rows ≤ 64. */
@inline
export function firstBits(rows: i32): u64 {
  return rows >= 64 ? ~(<u64>0) : ((<u64>1) << (<u64>rows)) - 1
}

/** Bits of the 64 rows from `row` on; without a selection, of every row before `n`. */
@inline
export function selectedBits(selection: usize, row: i32, n: i32): u64 {
  return selection != 0 ? load<u64>(selection + (row >> 3)) : firstBits(n - row)
}
