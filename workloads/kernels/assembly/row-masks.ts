/** Masks of rows 2 · pair and 2 · pair + 1 of eight rows, whose bits are in `bits` (both lanes alike). */
@inline
export function pairMask(bits: v128, pair: i32): v128 {
  const own = pair == 0 ? i64x2(1, 2) : pair == 1 ? i64x2(4, 8) : pair == 2 ? i64x2(16, 32) : i64x2(64, 128)
  return i64x2.eq(v128.and(bits, own), own)
}
