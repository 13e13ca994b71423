import { bitmapBytes, endBitmap, firstBits } from './bitmap-end'

/** Logic, counting and listing of selection bitmaps. Twin: src/simd/bitmaps.ts. */
export function bitmapFill(n: i32, out: usize): void {
  let row = 0
  for (; row < n; row += 64) store<u64>(out + (row >> 3), firstBits(n - row))
  endBitmap(out, row >> 3, n)
}

export function bitmapAnd(a: usize, b: usize, n: i32, out: usize): void {
  const end = bitmapBytes(n)
  for (let byte = 0; byte < end; byte += 16) {
    v128.store(out + byte, v128.and(v128.load(a + byte), v128.load(b + byte)))
  }
}

export function bitmapOr(a: usize, b: usize, n: i32, out: usize): void {
  const end = bitmapBytes(n)
  for (let byte = 0; byte < end; byte += 16) {
    v128.store(out + byte, v128.or(v128.load(a + byte), v128.load(b + byte)))
  }
}

export function bitmapNot(a: usize, n: i32, out: usize): void {
  let row = 0
  for (; row < n; row += 64) {
    store<u64>(out + (row >> 3), ~load<u64>(a + (row >> 3)) & firstBits(n - row))
  }
  endBitmap(out, row >> 3, n)
}

export function bitmapCount(a: usize, n: i32): u32 {
  let even: u64 = 0
  let odd: u64 = 0
  const end = bitmapBytes(n)
  for (let byte = 0; byte < end; byte += 16) {
    even += popcnt(load<u64>(a + byte))
    odd += popcnt(load<u64>(a + byte, 8))
  }
  return <u32>(even + odd)
}

/** Writes the numbers of the set bits, ascending; returns how many. */
export function bitmapRows(a: usize, n: i32, out: usize): u32 {
  let at = out
  for (let row = 0; row < n; row += 64) {
    let bits = load<u64>(a + (row >> 3))
    if (bits == ~(<u64>0)) {
      let rows = i32x4.add(i32x4.splat(row), i32x4(0, 1, 2, 3))
      for (let end = at + 256; at < end; at += 16) {
        v128.store(at, rows)
        rows = i32x4.add(rows, i32x4.splat(4))
      }
      continue
    }
    for (; bits != 0; bits &= bits - 1) {
      store<u32>(at, row + <i32>ctz(bits))
      at += 4
    }
  }
  return <u32>((at - out) >> 2)
}
