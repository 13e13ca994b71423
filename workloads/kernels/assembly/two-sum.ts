/** The rounding error of `sum = a + b`, exact. Source: Knuth, TAOCP 2, 4.2.2, theorem B. */
@inline
export function roundingError(a: f64, b: f64, sum: f64): f64 {
  const part = sum - a
  return (a - (sum - part)) + (b - part)
}

/** Adds `value` to the state (sum, compensation, …) at `state`; an infinite sum has no compensation. */
@inline
export function addCompensated(state: usize, value: f64): void {
  const before = load<f64>(state)
  const sum = before + value
  store<f64>(state, sum)
  const compensation = load<f64>(state, 8) + roundingError(before, value, sum)
  store<f64>(state, abs(sum) < Infinity ? compensation : 0, 8)
}

/** The power of two above `top`, a finite number: 2^(exponent + 1). */
@inline
export function powerAbove(top: f64): f64 {
  return reinterpret<f64>((reinterpret<u64>(top) & 0x7ff0_0000_0000_0000) + 0x0010_0000_0000_0000)
}

/** From here on a multiple of a block's bound could overflow: such values are added one by one. */
export const TOP_MAX: f64 = 1e270
