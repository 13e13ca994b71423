import { tDigestRankError } from '@truenow/kernels/sketches/t-digest.ts'
import type { Call } from './calls-of.ts'
import type { Judge } from './verdict.ts'

/** Up to so many values a quantile is percentile_cont (README of query). */
const EXACT_MAX = 159
const RELATIVE = 1e-9
const ROUNDING = 4.5e-16
/** Numbers without a full mantissa round by units of their own. */
const SMALLEST = 4 * Number.MIN_VALUE
const NAMED: Readonly<Record<string, number>> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 }

/** Which quantile a call asks for. */
export const quantileOf = ({ aggregate, q }: Call): number => q ?? NAMED[aggregate] ?? Number.NaN

/**
 * A quantile. Few values: DuckDB's quantile_cont. Many: its rank among all values is off by at most the stated share, and by
 * the one place that interpolation may take. 0 and 1 are the least and the greatest value, always.
 * Parts: quantile_cont, and all values in ascending order.
 */
export const judgeQuantile: Judge = (mine, [theirs, list], { call }) => {
  const values = ((list as Readonly<{ items: readonly number[] }> | null)?.items ?? []).map(Number)
  if (values.length === 0) return { holds: mine === null }
  if (mine === null || call === undefined) return { holds: false }
  const [value, q, n] = [Number(mine), quantileOf(call), values.length]
  const at = q * (n - 1)
  const [low = 0, high = 0] = [values[Math.floor(at)], values[Math.ceil(at)]]
  if (n <= EXACT_MAX || q === 0 || q === 1) {
    const within = value >= low && value <= high
    // Between two values that are far apart DuckDB's difference of them may leave the range of a double.
    const wanted = Number.isFinite(high - low) ? Number(theirs) : value
    const allowed = RELATIVE * Math.abs(wanted) + ROUNDING * (Math.abs(low) + Math.abs(high)) + SMALLEST
    return { holds: within && Math.abs(value - wanted) <= allowed }
  }
  const allowed = tDigestRankError(q) * n + 1
  const [below, upTo] = [countWhile(values, (one) => one < value), countWhile(values, (one) => one <= value)]
  return {
    holds: below <= q * n + allowed && upTo >= q * n - allowed,
    edge: 'a quantile of more than 159 values',
  }
}

/** How many values of an ascending list a test holds for, from the first on. */
function countWhile(values: readonly number[], test: (value: number) => boolean): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (test(values[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}
