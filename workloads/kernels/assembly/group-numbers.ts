import { firstBits } from './bitmap-end'

/** Group numbers from dictionary codes and from time. Twin: src/simd/group-numbers.ts. */
export function groupInit8(codes: usize, validity: usize, n: i32, nullCode: u32, out: usize): void {
  initGroups<u8>(codes, validity, n, nullCode, out)
}
export function groupInit16(codes: usize, validity: usize, n: i32, nullCode: u32, out: usize): void {
  initGroups<u16>(codes, validity, n, nullCode, out)
}
export function groupInit32(codes: usize, validity: usize, n: i32, nullCode: u32, out: usize): void {
  initGroups<u32>(codes, validity, n, nullCode, out)
}

export function groupExtend8(
  codes: usize, validity: usize, n: i32, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u8>(codes, validity, n, nullCode, factor, out)
}
export function groupExtend16(
  codes: usize, validity: usize, n: i32, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u16>(codes, validity, n, nullCode, factor, out)
}
export function groupExtend32(
  codes: usize, validity: usize, n: i32, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u32>(codes, validity, n, nullCode, factor, out)
}

@inline
function codeAt<T>(codes: usize, row: i32): u32 {
  return <u32>load<T>(codes + <usize>row * sizeof<T>())
}

/** Codes of four rows as u32. */
@inline
function fourCodes<T>(codes: usize, row: i32): v128 {
  const at = codes + <usize>row * sizeof<T>()
  if (sizeof<T>() == 1) return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)))
  if (sizeof<T>() == 2) return i32x4.extend_low_i16x8_u(v128.load64_zero(at))
  return v128.load(at)
}

/** None of them null: four rows at once. Returns the first row that is not done. */
@inline
function plainGroups<T>(extend: bool, codes: usize, n: i32, factor: u32, out: usize): i32 {
  const factors = i32x4.splat(factor)
  let row = 0
  for (; row + 4 <= n; row += 4) {
    const at = out + (<usize>row << 2)
    const four = fourCodes<T>(codes, row)
    v128.store(at, extend ? i32x4.add(i32x4.mul(v128.load(at), factors), four) : four)
  }
  return row
}

@inline
function initGroups<T>(codes: usize, validity: usize, n: i32, nullCode: u32, out: usize): void {
  if (validity == 0) {
    for (let row = plainGroups<T>(false, codes, n, 0, out); row < n; row++) {
      store<u32>(out + (<usize>row << 2), codeAt<T>(codes, row))
    }
    return
  }
  for (let word = 0; word < n; word += 64) {
    const end = min(n, word + 64)
    const bits = load<u64>(validity + (word >> 3))
    let row = word
    if (bits == firstBits(end - word)) {
      for (; row + 4 <= end; row += 4) {
        const at = out + (<usize>row << 2)
        store<u32>(at, codeAt<T>(codes, row))
        store<u32>(at, codeAt<T>(codes, row + 1), 4)
        store<u32>(at, codeAt<T>(codes, row + 2), 8)
        store<u32>(at, codeAt<T>(codes, row + 3), 12)
      }
    }
    for (; row < end; row++) {
      const group = select<u32>(codeAt<T>(codes, row), nullCode, <i32>((bits >> (row - word)) & 1))
      store<u32>(out + (<usize>row << 2), group)
    }
  }
}

@inline
function extendGroups<T>(
  codes: usize, validity: usize, n: i32, nullCode: u32, factor: u32, out: usize,
): void {
  if (validity == 0) {
    for (let row = plainGroups<T>(true, codes, n, factor, out); row < n; row++) {
      const at = out + (<usize>row << 2)
      store<u32>(at, load<u32>(at) * factor + codeAt<T>(codes, row))
    }
    return
  }
  for (let word = 0; word < n; word += 64) {
    const end = min(n, word + 64)
    const bits = load<u64>(validity + (word >> 3))
    let row = word
    if (bits == firstBits(end - word)) {
      for (; row + 4 <= end; row += 4) {
        const at = out + (<usize>row << 2)
        store<u32>(at, load<u32>(at) * factor + codeAt<T>(codes, row))
        store<u32>(at, load<u32>(at, 4) * factor + codeAt<T>(codes, row + 1), 4)
        store<u32>(at, load<u32>(at, 8) * factor + codeAt<T>(codes, row + 2), 8)
        store<u32>(at, load<u32>(at, 12) * factor + codeAt<T>(codes, row + 3), 12)
      }
    }
    for (; row < end; row++) {
      const at = out + (<usize>row << 2)
      const group = select<u32>(codeAt<T>(codes, row), nullCode, <i32>((bits >> (row - word)) & 1))
      store<u32>(at, load<u32>(at) * factor + group)
    }
  }
}

export function groupTimesInit(offsets: usize, n: i32, shift: f64, bucket: f64, out: usize): void {
  timeGroups(false, offsets, n, shift, bucket, 0, out)
}
export function groupTimesExtend(offsets: usize, n: i32, shift: f64, bucket: f64, factor: u32, out: usize): void {
  timeGroups(true, offsets, n, shift, bucket, factor, out)
}

/*
 * floor((offset + shift) / bucket) without a division a row. Below 2^32 a bucket: x = offset + shift < 2^50 + 2^32, and
 * (x + 1/2) / bucket is at least 1 / (2 · bucket) away from every integer, relatively above 2^-52, more than the two
 * roundings of a multiplication by the reciprocal. So its floor is the quotient. From 2^32 on an offset crosses at most
 * one boundary, and a comparison answers. (bit patterns: 2^52 + k has k in its low 32 bits.)
 */
@inline
function timeGroups(extend: bool, offsets: usize, n: i32, shift: f64, bucket: f64, factor: u32, out: usize): void {
  const factors = i32x4.splat(factor)
  if (bucket >= 4294967296) {
    const boundary = bucket - shift
    for (let row = 0; row < n; row++) {
      const at = out + (<usize>row << 2)
      const quotient = <u32>(<f64>load<u32>(offsets + (<usize>row << 2)) >= boundary)
      store<u32>(at, extend ? load<u32>(at) * factor + quotient : quotient)
    }
    return
  }
  const high = i32x4.splat(0x43300000)
  const start = f64x2.splat(4503599627370496 - shift - 0.5)
  const reciprocal = f64x2.splat(1 / bucket)
  const half = f64x2.splat(0.5)
  const whole = f64x2.splat(6755399441055744) // 1.5 · 2^52
  let row = 0
  for (; row + 4 <= n; row += 4) {
    const offset = v128.load(offsets + (<usize>row << 2))
    const a = f64x2.sub(v128.shuffle<i32>(offset, high, 0, 4, 1, 5), start)
    const b = f64x2.sub(v128.shuffle<i32>(offset, high, 2, 6, 3, 7), start)
    const c = f64x2.add(f64x2.sub(f64x2.mul(a, reciprocal), half), whole)
    const d = f64x2.add(f64x2.sub(f64x2.mul(b, reciprocal), half), whole)
    const quotients = v128.shuffle<i32>(c, d, 0, 2, 4, 6)
    const at = out + (<usize>row << 2)
    v128.store(at, extend ? i32x4.add(i32x4.mul(v128.load(at), factors), quotients) : quotients)
  }
  for (; row < n; row++) {
    const offset = <f64>load<u32>(offsets + (<usize>row << 2))
    const quotient = <u32><u64>((offset + shift + 0.5) * (1 / bucket))
    const at = out + (<usize>row << 2)
    store<u32>(at, extend ? load<u32>(at) * factor + quotient : quotient)
  }
}

/**
 * Groups of `rows` rows from `row` on, u32 each, by several keys without nulls. A key is 32 bytes: kind u32 (1, 2 or 4, the
 * bytes of a code; 8: offsets of time), address u32, factor u32, 4 bytes unused, shift f64, bucket f64.
 */
export function numberRows(keys: usize, keyCount: i32, row: i32, rows: i32, out: usize): void {
  for (let key = 0; key < keyCount; key++) {
    const at = keys + (<usize>key << 5)
    const kind = load<u32>(at)
    const from = <usize>load<u32>(at, 4) + <usize>row * min(4, kind)
    const factor = load<u32>(at, 8)
    if (kind == 8) {
      const shift = load<f64>(at, 16)
      const bucket = load<f64>(at, 24)
      if (key == 0) groupTimesInit(from, rows, shift, bucket, out)
      else groupTimesExtend(from, rows, shift, bucket, factor, out)
    } else if (key == 0) {
      if (kind == 1) groupInit8(from, 0, rows, 0, out)
      else if (kind == 2) groupInit16(from, 0, rows, 0, out)
      else groupInit32(from, 0, rows, 0, out)
    } else if (kind == 1) groupExtend8(from, 0, rows, 0, factor, out)
    else if (kind == 2) groupExtend16(from, 0, rows, 0, factor, out)
    else groupExtend32(from, 0, rows, 0, factor, out)
  }
}
