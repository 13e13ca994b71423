import { firstBits } from './bitmap-end'

/** Group numbers from dictionary codes and from time. Twin: src/simd/group-numbers.ts. */
export function groupInit8(codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, out: usize): void {
  initGroups<u8>(codes, validity, n, translate, nullCode, out)
}
export function groupInit16(codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, out: usize): void {
  initGroups<u16>(codes, validity, n, translate, nullCode, out)
}
export function groupInit32(codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, out: usize): void {
  initGroups<u32>(codes, validity, n, translate, nullCode, out)
}

export function groupExtend8(
  codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u8>(codes, validity, n, translate, nullCode, factor, out)
}
export function groupExtend16(
  codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u16>(codes, validity, n, translate, nullCode, factor, out)
}
export function groupExtend32(
  codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, factor: u32, out: usize,
): void {
  extendGroups<u32>(codes, validity, n, translate, nullCode, factor, out)
}

@inline
function translated<T>(codes: usize, row: i32, translate: usize): u32 {
  return load<u32>(translate + (<usize>load<T>(codes + <usize>row * sizeof<T>()) << 2))
}

@inline
function initGroups<T>(codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, out: usize): void {
  for (let word = 0; word < n; word += 64) {
    const end = min(n, word + 64)
    const bits = validity != 0 ? load<u64>(validity + (word >> 3)) : firstBits(end - word)
    let row = word
    if (bits == firstBits(end - word)) {
      for (; row + 4 <= end; row += 4) {
        const at = out + (<usize>row << 2)
        store<u32>(at, translated<T>(codes, row, translate))
        store<u32>(at, translated<T>(codes, row + 1, translate), 4)
        store<u32>(at, translated<T>(codes, row + 2, translate), 8)
        store<u32>(at, translated<T>(codes, row + 3, translate), 12)
      }
    }
    for (; row < end; row++) {
      // A null's code may be anything that was left there, but it is within the dictionary: select, do not branch.
      const group = select<u32>(translated<T>(codes, row, translate), nullCode, <i32>((bits >> (row - word)) & 1))
      store<u32>(out + (<usize>row << 2), group)
    }
  }
}

@inline
function extendGroups<T>(
  codes: usize, validity: usize, n: i32, translate: usize, nullCode: u32, factor: u32, out: usize,
): void {
  for (let word = 0; word < n; word += 64) {
    const end = min(n, word + 64)
    const bits = validity != 0 ? load<u64>(validity + (word >> 3)) : firstBits(end - word)
    let row = word
    if (bits == firstBits(end - word)) {
      for (; row + 4 <= end; row += 4) {
        const at = out + (<usize>row << 2)
        store<u32>(at, load<u32>(at) * factor + translated<T>(codes, row, translate))
        store<u32>(at, load<u32>(at, 4) * factor + translated<T>(codes, row + 1, translate), 4)
        store<u32>(at, load<u32>(at, 8) * factor + translated<T>(codes, row + 2, translate), 8)
        store<u32>(at, load<u32>(at, 12) * factor + translated<T>(codes, row + 3, translate), 12)
      }
    }
    for (; row < end; row++) {
      const at = out + (<usize>row << 2)
      const group = select<u32>(translated<T>(codes, row, translate), nullCode, <i32>((bits >> (row - word)) & 1))
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
    const quotient = <u32>((offset + shift + 0.5) * (1 / bucket))
    const at = out + (<usize>row << 2)
    store<u32>(at, extend ? load<u32>(at) * factor + quotient : quotient)
  }
}
