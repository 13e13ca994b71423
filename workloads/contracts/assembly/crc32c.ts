/*
 * CRC-32C of bytes that may be overwritten. Twin: `crc32cByTable` in src/wire/crc32c.ts.
 * Source: Chorba (Russell, arXiv 2412.16398): adding a multiple of the polynomial changes no remainder, so one with few
 * terms clears bytes at the front by adding them to bytes further on, sixteen at a time and without a table. The one here,
 *   x^(8 * 1462) + x^(8 * 1190) + x^(8 * 907) + x^(8 * 656) + x^(8 * 326) + 1,
 * was found by search: its terms lie whole bytes apart, and so far from one another that no load waits for a store of a
 * few steps before. The end of the bytes goes through eight tables of 1 KiB ("slicing by eight").
 */
const FIRST: usize = 272
const SECOND: usize = 555
const THIRD: usize = 806
const FOURTH: usize = 1136
const LAST: usize = 1462
const STEP: usize = 16

@inline
function add(at: usize, bytes: v128): void {
  v128.store(at, v128.xor(v128.load(at), bytes))
}

@inline
function look(table: usize, slice: usize, byte: u64): u32 {
  return load<u32>(table + (slice << 10) + (<usize>(byte & 255) << 2))
}

/** Goes on from `crc` over the bytes [at, end), which it changes. `table`: as `makeTable` there gives it. */
export function crc32c(crc: u32, at: usize, end: usize, table: usize): u32 {
  if (at + LAST + STEP <= end) {
    // What came before is bytes to be added to the first ones.
    store<u32>(at, load<u32>(at) ^ crc)
    crc = 0
    for (; at + LAST + STEP <= end; at += STEP) {
      const bytes = v128.load(at)
      add(at + FIRST, bytes)
      add(at + SECOND, bytes)
      add(at + THIRD, bytes)
      add(at + FOURTH, bytes)
      add(at + LAST, bytes)
    }
  }
  for (; at + 8 <= end; at += 8) {
    const word = load<u64>(at) ^ <u64>crc
    crc =
      look(table, 7, word) ^
      look(table, 6, word >> 8) ^
      look(table, 5, word >> 16) ^
      look(table, 4, word >> 24) ^
      look(table, 3, word >> 32) ^
      look(table, 2, word >> 40) ^
      look(table, 1, word >> 48) ^
      look(table, 0, word >> 56)
  }
  for (; at < end; at++) crc = look(table, 0, <u64>(crc ^ load<u8>(at))) ^ (crc >> 8)
  return crc
}
