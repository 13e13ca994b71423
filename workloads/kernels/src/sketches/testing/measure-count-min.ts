import { decodeTopK, encodeTopK } from '@truenow/contracts/wire/top-k-v1.ts'
import { StateBudget } from '../../aggregates/state-budget.ts'
import { COUNT_MIN_RELATIVE_ERROR, CountMin } from '../count-min.ts'
import { TopK, topEntries } from '../top-k.ts'
import { ValueHasher } from '../value-hasher.ts'
import { seededUnit, seededWords } from './seeded-words.ts'

export type Counting = Readonly<{
  /** Exponent of the Zipf-like frequencies; 0: all values alike. */
  skew: number
  estimates: number
  under: number
  /** Share of the estimates that are over by more than epsilon times all that was counted. */
  beyond: number
  /** Greatest overestimate, as a share of all that was counted. */
  greatest: number
  /** Of the ten most frequent values, the share that top-k names; NaN where all values are alike. */
  recall: number
}>

/** Counts `rows` rows over at most `values` values in each run, whole and in four merged parts, against exact counts. */
export function measureCountMin(
  skew: number,
  rows: number,
  values: number,
  seeds: readonly number[],
): Counting {
  let [estimates, under, beyond, greatest, named] = [0, 0, 0, 0, 0]
  for (const seed of seeds) {
    const unit = seededUnit(seededWords(seed))
    const drawn = Float64Array.from({ length: rows }, () => drawValue(unit(), skew, values))
    const truth = new Float64Array(values)
    for (const value of drawn) truth[value]! += 1
    const { sketch, top } = sketchOf(drawn)
    const hasher = new ValueHasher()
    for (let value = 0; value < values; value++) {
      if (truth[value] === 0) continue
      hasher.ofNumber(value)
      const over = sketch.estimate(hasher.high, hasher.low) - truth[value]!
      estimates += 1
      if (over < 0) under += 1
      if (over > COUNT_MIN_RELATIVE_ERROR * rows) beyond += 1
      greatest = Math.max(greatest, over / rows)
    }
    const best = [...truth.keys()].sort((a, b) => truth[b]! - truth[a]!).slice(0, 10)
    named += best.filter((value) => top.includes(value)).length
  }
  const recall = skew === 0 ? Number.NaN : named / (10 * seeds.length)
  return { skew, estimates, under, beyond: beyond / estimates, greatest, recall }
}

/** Value 0 is the most frequent: the inverse of a continuous power law, cut into whole numbers. */
function drawValue(unit: number, skew: number, values: number): number {
  if (skew === 0) return Math.floor(unit * values)
  const power = 1 - skew
  return Math.min(values - 1, Math.floor((1 + unit * ((values + 1) ** power - 1)) ** (1 / power)) - 1)
}

function sketchOf(drawn: Float64Array): { sketch: CountMin; top: unknown[] } {
  const [budget, hasher] = [new StateBudget('', 0, ''), new ValueHasher()]
  const merged = new TopK(budget, hasher)
  const quarter = Math.ceil(drawn.length / 4)
  for (let from = 0; from < drawn.length; from += quarter) {
    const part = new TopK(budget, hasher)
    for (const value of drawn.subarray(from, from + quarter)) {
      if (part.hashes) hasher.ofNumber(value)
      part.add(value, 1)
    }
    merged.merge(decodeTopK('int64', encodeTopK('int64', part.state())))
  }
  const state = merged.state()
  if (state.form !== 'sketch') throw new TypeError('too few values to be sketched')
  return { sketch: new CountMin(state.counters), top: topEntries(state, 10).map(({ value }) => value) }
}
