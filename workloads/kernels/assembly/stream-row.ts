/*
 * The order in which a kernel walks through a column: blocks of 16,384 rows as four streams of 4,096, 64 rows of each in
 * turn. The processor fetches ahead within a page of 4 KiB only; with four streams it waits for four pages at once. That
 * is worth a third of the time of a sum whose column is in no cache (docs/design/0001). Twin: src/simd/stream-row.ts.
 */

/** First row of step `step`; there are n >> 6 whole steps, and what is no whole block is walked through in row order. */
@inline
export function streamRow(step: i32, n: i32): i32 {
  const row = step << 6
  const block = row & ~0x3fff
  return block + 0x4000 > n ? row : block | ((step & 3) << 12) | (((step >> 2) & 63) << 6)
}
