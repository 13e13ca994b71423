/**
 * ms to wait after the `failures`-th failure in a row (1 is the first): doubles from `msMin` to `msMax`, less up to half of
 * it by `random` in [0, 1), so that all who failed together do not come back together.
 */
export function backoffDelay(failures: number, msMin: number, msMax: number, random: () => number): number {
  const whole = Math.min(msMin * 2 ** Math.max(0, failures - 1), msMax) // Infinity is within `min`: no overflow.
  return whole * (0.5 + random() / 2)
}
