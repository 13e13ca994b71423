import { StateBudget } from '../../aggregates/state-budget.ts'
import { estimateHyperLogLog, HyperLogLog } from '../hyperloglog.ts'
import { ValueHasher } from '../value-hasher.ts'
import { seededWords } from './seeded-words.ts'

export type Cardinality = Readonly<{
  cardinality: number
  runs: number
  /** Mean of estimate / truth - 1. */
  bias: number
  /** Root of the mean of (estimate / truth - 1)^2. */
  relativeError: number
}>
/** Adds `count` new hashes to a sketch. */
type Feed = (sketch: HyperLogLog, count: number) => void

/** Distinct int64 values, hashed as a shard hashes them: consecutive from a start that only this run has. */
export function consecutiveValues(run: number): Feed {
  const hasher = new ValueHasher()
  let next = run * 4_294_967_296
  return (sketch, count) => {
    for (const end = next + count; next < end; next++) {
      hasher.ofNumber(next)
      sketch.add(hasher.high, hasher.low)
    }
  }
}

/** Random hashes given to the sketch as they are: what a perfect hash would make of distinct values. */
export function randomHashes(run: number): Feed {
  const words = seededWords(run)
  return (sketch, count) => {
    for (let index = 0; index < count; index++) sketch.add(words(), words())
  }
}

/** Bias and error of HyperLogLog at each cardinality (ascending), over the runs `firstRun`… */
export function measureHyperLogLog(
  cardinalities: readonly number[],
  runs: number,
  firstRun: number,
  feedOf: (run: number) => Feed,
): Cardinality[] {
  const [sums, squares] = [new Float64Array(cardinalities.length), new Float64Array(cardinalities.length)]
  for (let run = firstRun; run < firstRun + runs; run++) {
    const [sketch, feed] = [new HyperLogLog(new StateBudget('', 0, '')), feedOf(run)]
    let fed = 0
    for (const [index, cardinality] of cardinalities.entries()) {
      feed(sketch, cardinality - fed)
      fed = cardinality
      const error = estimateHyperLogLog(sketch.state()) / cardinality - 1
      sums[index]! += error
      squares[index]! += error * error
    }
  }
  return cardinalities.map((cardinality, index) => ({
    cardinality,
    runs,
    bias: sums[index]! / runs,
    relativeError: Math.sqrt(squares[index]! / runs),
  }))
}
