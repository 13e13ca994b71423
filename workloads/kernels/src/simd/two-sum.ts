/** Twin of assembly/two-sum.ts. The rounding error of `sum = a + b`, exact (Knuth, TAOCP 2, 4.2.2, theorem B). */
export function roundingError(a: number, b: number, sum: number): number {
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
  float[0] = top
  words[1] = (words[1]! & 0x7ff0_0000) + 0x0010_0000
  words[0] = 0
  return float[0]
}

/** Sign, exponent and the 20 upper bits of the fraction. */
export function highWord(value: number): number {
  float[0] = value
  return words[1]!
}

/** The value without the last `bits` bits of its fraction, at most 32. */
export function cutLast(value: number, bits: number): number {
  float[0] = value
  words[0] = (words[0]! >>> bits) << bits
  return float[0]
}

/** A float64 and its words, the lower one first: what runs WebAssembly here is little-endian, as its memory is. */
const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** From here on a multiple of a block's bound could overflow: such values are added one by one. */
export const TOP_MAX = 1e270
