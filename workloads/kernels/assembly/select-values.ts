import { endBitmap } from './bitmap-end'
import { streamRow } from './stream-row'

/*
 * Comparisons of one column with constants. Sixteen rows a step: their masks of 64 or 32 bits are narrowed to bytes and
 * one bitmask makes two bytes of the bitmap. Twin: src/simd/select-values.ts.
 */
const EQUAL = 1
const NOT_EQUAL = 2
const LESS = 3
const LESS_OR_EQUAL = 4
const GREATER = 5

/** Rows whose value stands in relation `op` (proto CompareOperator, 1 to 6) to `scalar`. */
export function selectF64(op: i32, values: usize, n: i32, scalar: f64, out: usize): void {
  if (op == EQUAL) compareF64(EQUAL, values, n, scalar, 0, out)
  else if (op == NOT_EQUAL) compareF64(NOT_EQUAL, values, n, scalar, 0, out)
  else if (op == LESS) compareF64(LESS, values, n, scalar, 0, out)
  else if (op == LESS_OR_EQUAL) compareF64(LESS_OR_EQUAL, values, n, scalar, 0, out)
  else if (op == GREATER) compareF64(GREATER, values, n, scalar, 0, out)
  else compareF64(6, values, n, scalar, 0, out)
}

/** Rows with low ≤ value < high. */
export function selectF64Between(values: usize, n: i32, low: f64, high: f64, out: usize): void {
  compareF64(0, values, n, low, high, out)
}

/** One mask of two rows; `op` is a constant where this is inlined, 0 stands for between. */
@inline
function mask2(op: i32, value: v128, low: v128, high: v128): v128 {
  if (op == EQUAL) return f64x2.eq(value, low)
  if (op == NOT_EQUAL) return f64x2.ne(value, low)
  if (op == LESS) return f64x2.lt(value, low)
  if (op == LESS_OR_EQUAL) return f64x2.le(value, low)
  if (op == GREATER) return f64x2.gt(value, low)
  if (op == 0) return v128.and(f64x2.ge(value, low), f64x2.lt(value, high))
  return f64x2.ge(value, low)
}

@inline
function mask4(op: i32, at: usize, low: v128, high: v128): v128 {
  const first = mask2(op, v128.load(at), low, high)
  const second = mask2(op, v128.load(at, 16), low, high)
  return v128.shuffle<i32>(first, second, 0, 2, 4, 6)
}

@inline
function holds(op: i32, value: f64, low: f64, high: f64): bool {
  if (op == EQUAL) return value == low
  if (op == NOT_EQUAL) return value != low
  if (op == LESS) return value < low
  if (op == LESS_OR_EQUAL) return value <= low
  if (op == GREATER) return value > low
  if (op == 0) return value >= low && value < high
  return value >= low
}

@inline
function compareF64(op: i32, values: usize, n: i32, low: f64, high: f64, out: usize): void {
  const lows = f64x2.splat(low)
  const highs = f64x2.splat(high)
  const steps = n >> 6
  for (let step = 0; step < steps; step++) {
    let row = streamRow(step, n)
    for (const last = row + 64; row < last; row += 16) {
      const at = values + (<usize>row << 3)
      const eight = i16x8.narrow_i32x4_s(mask4(op, at, lows, highs), mask4(op, at + 32, lows, highs))
      const next = i16x8.narrow_i32x4_s(mask4(op, at + 64, lows, highs), mask4(op, at + 96, lows, highs))
      store<u16>(out + (row >> 3), <u16>i8x16.bitmask(i8x16.narrow_i16x8_s(eight, next)))
    }
  }
  const whole = n & ~63
  let row = whole
  let bits: u64 = 0
  for (; row < n; row++) {
    bits |= (<u64>holds(op, load<f64>(values + (<usize>row << 3)), low, high)) << (row - whole)
  }
  if (whole < n) store<u64>(out + (whole >> 3), bits)
  endBitmap(out, ((n + 63) >> 6) << 3, n)
}

/** Rows with low ≤ value ≤ high, unsigned. */
export function selectU32Between(values: usize, n: i32, low: u32, high: u32, out: usize): void {
  if (low > high) {
    endBitmap(out, 0, n)
    return
  }
  // One unsigned comparison for both ends: v - low wraps around for v < low.
  const span = high - low
  const lows = i32x4.splat(low)
  const spans = i32x4.splat(span)
  const steps = n >> 6
  for (let step = 0; step < steps; step++) {
    let row = streamRow(step, n)
    for (const last = row + 64; row < last; row += 16) {
      const at = values + (<usize>row << 2)
      const a = i32x4.le_u(i32x4.sub(v128.load(at), lows), spans)
      const b = i32x4.le_u(i32x4.sub(v128.load(at, 16), lows), spans)
      const c = i32x4.le_u(i32x4.sub(v128.load(at, 32), lows), spans)
      const d = i32x4.le_u(i32x4.sub(v128.load(at, 48), lows), spans)
      const bytes = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d))
      store<u16>(out + (row >> 3), <u16>i8x16.bitmask(bytes))
    }
  }
  const whole = n & ~63
  let row = whole
  let bits: u64 = 0
  for (; row < n; row++) bits |= (<u64>(load<u32>(values + (<usize>row << 2)) - low <= span)) << (row - whole)
  if (whole < n) store<u64>(out + (whole >> 3), bits)
  endBitmap(out, ((n + 63) >> 6) << 3, n)
}
