import { decodeTDigest, encodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import { StateBudget } from '../../aggregates/state-budget.ts'
import { quantileOfTDigest, TDigest, tDigestRankError } from '../t-digest.ts'
import { seededUnit, seededWords } from './seeded-words.ts'

export const MEASURED_QUANTILES = [0.5, 0.95, 0.99, 0.999] as const
export const DISTRIBUTIONS = [
  'uniform',
  'normal',
  'log-normal',
  'ascending',
  'descending',
  'inwards',
] as const
export type Distribution = (typeof DISTRIBUTIONS)[number]
export type RankError = Readonly<{
  distribution: Distribution
  q: number
  /** Digests that the values were split over before they were merged. */
  parts: number
  /** Greatest over the runs, as a share of the values. */
  greatest: number
  bound: number
}>

/** Values of a distribution; the last three are adversarial orders of log-normal ones: sorted, and from the ends inwards. */
export function valuesOf(distribution: Distribution, count: number, seed: number): Float64Array {
  const unit = seededUnit(seededWords(seed))
  const normal = () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit())
  if (distribution === 'uniform') return Float64Array.from({ length: count }, unit)
  if (distribution === 'normal') return Float64Array.from({ length: count }, normal)
  const values = Float64Array.from({ length: count }, () => Math.exp(2 * normal()))
  if (distribution === 'log-normal') return values
  values.sort()
  if (distribution === 'descending') values.reverse()
  if (distribution !== 'inwards') return values
  return Float64Array.from(
    values,
    (_, index) => values[index % 2 === 0 ? index >> 1 : count - 1 - (index >> 1)]!,
  )
}

/** Greatest error in rank of each quantile over the seeds, for values that went through `parts` digests and the wire. */
export function measureTDigest(
  distribution: Distribution,
  count: number,
  parts: number,
  seeds: readonly number[],
): RankError[] {
  const greatest = MEASURED_QUANTILES.map(() => 0)
  for (const seed of seeds) {
    const values = valuesOf(distribution, count, seed)
    const budget = new StateBudget('', 0, '')
    const merged = new TDigest(budget)
    for (let part = 0; part < parts; part++) {
      const digest = new TDigest(budget)
      const end = Math.floor((count * (part + 1)) / parts)
      for (let at = Math.floor((count * part) / parts); at < end; at++) digest.add(values[at]!)
      merged.merge(decodeTDigest(encodeTDigest(digest.state())))
    }
    const [sorted, state] = [values.sort(), merged.state()]
    for (const [index, q] of MEASURED_QUANTILES.entries()) {
      const rank = countBelow(sorted, quantileOfTDigest(state, q)!) / count
      greatest[index] = Math.max(greatest[index]!, Math.abs(rank - q))
    }
  }
  return MEASURED_QUANTILES.map((q, index) => ({
    distribution,
    q,
    parts,
    greatest: greatest[index]!,
    bound: tDigestRankError(q),
  }))
}

/** Values below `value`, by bisection. */
function countBelow(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}
