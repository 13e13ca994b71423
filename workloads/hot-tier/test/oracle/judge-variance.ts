import type { Judge } from './verdict.ts'

const RELATIVE = 1e-9
const ROUNDING = 2 ** -53
/** Values from here on may have squares beyond a double: their variance is judged over the values times VARIANCE_SCALE. */
export const VARIANCE_PLAIN_MAX = 1e150
export const VARIANCE_SCALE = 2 ** -540
/** The greatest sum of squared distances that fits a double, scaled likewise. */
const SCALED_MAX = 2 ** -56
/** By how much partial sums of it may be over on the way. */
const SLACK = 4

/**
 * A variance or standard deviation, by the variance that DuckDB finds: within RELATIVE, or within what n values lose to
 * rounding, about n × 2^-53 × root mean square × standard deviation on either side (README of query), and its square where
 * the values are nearly alike. A sum of squares beyond a double is null.
 * Parts: variance and mean square of the values below VARIANCE_PLAIN_MAX; both over all values, scaled; max |x|; count.
 */
export function judgeVariance(root: boolean): Judge {
  return (mine, parts) => {
    const [plain, plainSquare, scaled, scaledSquare, greatest, n] = parts.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    if (parts[2] === null) return { holds: mine === null }
    const ours = (scale: number) => (root ? (Number(mine) * scale) ** 2 : Number(mine) * scale * scale)
    if (greatest < VARIANCE_PLAIN_MAX) {
      const lost = 2 * n * ROUNDING * Math.sqrt(plainSquare)
      const allowed = RELATIVE * plain + 2 * lost * Math.sqrt(plain) + lost ** 2 + n * Number.MIN_VALUE
      const holds = mine !== null && Math.abs(ours(1) - plain) <= allowed
      return lost > Math.sqrt(plain) * RELATIVE && plain > 0
        ? { holds, edge: 'a variance of values that are nearly alike' }
        : { holds }
    }
    const edge = 'a float sum or variance beyond its range'
    if (mine === null) return { holds: scaled * n > SCALED_MAX / SLACK, edge }
    const lost = 2 * n * ROUNDING * Math.sqrt(scaledSquare)
    const allowed = RELATIVE * scaled + 2 * lost * Math.sqrt(scaled) + lost ** 2
    return {
      holds: scaled * n < SCALED_MAX * SLACK && Math.abs(ours(VARIANCE_SCALE) - scaled) <= allowed,
      edge,
    }
  }
}
