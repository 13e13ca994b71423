/** Twin of assembly/two-sum.ts. The rounding error of `sum = a + b`, exact (Knuth, TAOCP 2, 4.2.2, theorem B). */
function roundingError(a: number, b: number, sum: number): number {
  const part = sum - a
  return a - (sum - part) + (b - part)
}

/** Adds to a state (sum, compensation) at cell `at` of `f64`; an infinite sum has no compensation. */
export function addCompensated(f64: Float64Array, at: number, value: number): void {
  const before = f64[at]!
  const sum = before + value
  f64[at] = sum
  f64[at + 1] = Number.isFinite(sum) ? f64[at + 1]! + roundingError(before, value, sum) : 0
}

/** The power of two above `top`: 2^(exponent + 1). */
export function powerAbove(top: number): number {
  bits[0] = top
  exponents[0] = (exponents[0]! & 0x7ff0_0000_0000_0000n) + 0x0010_0000_0000_0000n
  return bits[0]
}
const bits = new Float64Array(1)
const exponents = new BigUint64Array(bits.buffer)

/** From here on a multiple of a block's bound could overflow: such values are added one by one. */
export const TOP_MAX = 1e270
