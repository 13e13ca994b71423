import { endBitmap } from './bitmap-end'

/** Equality with one dictionary code and membership in a set of codes. Twin: src/simd/select-codes.ts. */
export function selectCodeEqual8(codes: usize, n: i32, code: u32, out: usize): void {
  if (code > 0xff) {
    endBitmap(out, 0, n)
    return
  }
  const wanted = i8x16.splat(<i8>code)
  const whole = n & ~15
  for (let row = 0; row < whole; row += 16) {
    store<u16>(out + (row >> 3), <u16>i8x16.bitmask(i8x16.eq(v128.load(codes + row), wanted)))
  }
  endEqual<u8>(codes, whole, n, code, out)
}

export function selectCodeEqual16(codes: usize, n: i32, code: u32, out: usize): void {
  if (code > 0xffff) {
    endBitmap(out, 0, n)
    return
  }
  const wanted = i16x8.splat(<i16>code)
  const whole = n & ~15
  for (let row = 0; row < whole; row += 16) {
    const at = codes + (<usize>row << 1)
    const first = i16x8.eq(v128.load(at), wanted)
    const second = i16x8.eq(v128.load(at, 16), wanted)
    store<u16>(out + (row >> 3), <u16>i8x16.bitmask(i8x16.narrow_i16x8_s(first, second)))
  }
  endEqual<u16>(codes, whole, n, code, out)
}

export function selectCodeEqual32(codes: usize, n: i32, code: u32, out: usize): void {
  const wanted = i32x4.splat(code)
  const whole = n & ~15
  for (let row = 0; row < whole; row += 16) {
    const at = codes + (<usize>row << 2)
    const a = i32x4.eq(v128.load(at), wanted)
    const b = i32x4.eq(v128.load(at, 16), wanted)
    const c = i32x4.eq(v128.load(at, 32), wanted)
    const d = i32x4.eq(v128.load(at, 48), wanted)
    const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d))
    store<u16>(out + (row >> 3), <u16>i8x16.bitmask(bytes))
  }
  endEqual<u32>(codes, whole, n, code, out)
}

@inline
function endEqual<T>(codes: usize, whole: i32, n: i32, code: u32, out: usize): void {
  let bits: u32 = 0
  for (let row = whole; row < n; row++) {
    bits |= (<u32>(<u32>load<T>(codes + <usize>row * sizeof<T>()) == code)) << (row - whole)
  }
  if (whole < n) store<u16>(out + (whole >> 3), <u16>bits)
  endBitmap(out, ((n + 15) >> 4) << 1, n)
}

/**
 * Rows whose code has verdict 1. A set of bytes is two tables of 16 bytes by low nibble, whose bits stand for the high
 * nibbles below 8 and from 8 on: "Truffle" of Hyperscan (Wang et al., NSDI 2019, section 4.3).
 */
export function selectCodeIn8(codes: usize, n: i32, verdicts: usize, out: usize): void {
  let below = i64x2.splat(0)
  let above = i64x2.splat(0)
  for (let high = 0; high < 8; high++) {
    below = v128.or(below, i64x2.shl(v128.load(verdicts + (high << 4)), high)) // Bytes of 0 and 1 stay in their byte.
    above = v128.or(above, i64x2.shl(v128.load(verdicts + 128 + (high << 4)), high))
  }
  const bitOf = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128)
  const nibble = i8x16.splat(0x0f)
  const index = i8x16.splat(<i8>0x8f)
  const flip = i8x16.splat(<i8>0x80)
  const whole = n & ~15
  for (let row = 0; row < whole; row += 16) {
    const code = v128.load(codes + row)
    // An index from 128 on gives 0: so the top bit of the code chooses one of the two tables.
    const first = i8x16.swizzle(below, v128.and(code, index))
    const second = i8x16.swizzle(above, v128.and(v128.xor(code, flip), index))
    const bit = i8x16.swizzle(bitOf, v128.and(i16x8.shr_u(code, 4), nibble))
    const found = i8x16.eq(v128.and(v128.or(first, second), bit), bit)
    store<u16>(out + (row >> 3), <u16>i8x16.bitmask(found))
  }
  endIn<u8>(codes, whole, n, verdicts, out)
}

export function selectCodeIn16(codes: usize, n: i32, verdicts: usize, out: usize): void {
  selectIn<u16>(codes, n, verdicts, out)
}

export function selectCodeIn32(codes: usize, n: i32, verdicts: usize, out: usize): void {
  selectIn<u32>(codes, n, verdicts, out)
}

@inline
function verdictOf<T>(codes: usize, row: i32, verdicts: usize): u32 {
  return load<u8>(verdicts + <usize>load<T>(codes + <usize>row * sizeof<T>()))
}

@inline
function selectIn<T>(codes: usize, n: i32, verdicts: usize, out: usize): void {
  const whole = n & ~15
  for (let row = 0; row < whole; row += 8) {
    // Two chains of four, last row first: acc + acc + verdict is one instruction.
    let high = verdictOf<T>(codes, row + 7, verdicts)
    let low = verdictOf<T>(codes, row + 3, verdicts)
    high = (high << 1) + verdictOf<T>(codes, row + 6, verdicts)
    low = (low << 1) + verdictOf<T>(codes, row + 2, verdicts)
    high = (high << 1) + verdictOf<T>(codes, row + 5, verdicts)
    low = (low << 1) + verdictOf<T>(codes, row + 1, verdicts)
    high = (high << 1) + verdictOf<T>(codes, row + 4, verdicts)
    low = (low << 1) + verdictOf<T>(codes, row, verdicts)
    store<u8>(out + (row >> 3), <u8>((high << 4) | low))
  }
  endIn<T>(codes, whole, n, verdicts, out)
}

@inline
function endIn<T>(codes: usize, whole: i32, n: i32, verdicts: usize, out: usize): void {
  let bits: u32 = 0
  for (let row = whole; row < n; row++) bits |= verdictOf<T>(codes, row, verdicts) << (row - whole)
  if (whole < n) store<u16>(out + (whole >> 3), <u16>bits)
  endBitmap(out, ((n + 15) >> 4) << 1, n)
}
