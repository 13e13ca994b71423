import type { ListedScalar } from '@truenow/contracts/wire/scalar-list-v1.ts'
import { TOP_K_VALUES_MAX, type TopKState } from '@truenow/contracts/wire/top-k-v1.ts'
import type { StateBudget } from '../aggregates/state-budget.ts'
import { COUNT_MIN_BYTES, COUNT_MIN_RELATIVE_ERROR, CountMin } from './count-min.ts'
import { ValueHasher } from './value-hasher.ts'

export type TopEntry<Value> = Readonly<{ value: Value; count: number; error_max: number }>

/** Candidates before the weaker half goes. */
const CANDIDATES_MAX = 2 * TOP_K_VALUES_MAX
/** A value with its count in a map, about, beside its text. */
const ENTRY_BYTES = 64

/**
 * The most frequent values: all with their counts while they are at most 1,024, then a Count-Min sketch and the 1,024
 * candidates with the greatest estimates. The counters depend on the rows alone, bit for bit; which candidates are kept
 * also on the order of merging, within the bound.
 * Cost: O(1) a row, and a sort of 2,048 candidates each time as many have come. Memory: 0.3 MiB, taken from `budget`.
 * Error: see count-min.ts; a value with more than 1 / 1,024 + 0.07 % of a group's rows is among the candidates, with
 * the same probability: fewer others can be as frequent.
 * Source: Cormode and Muthukrishnan, J. Algorithms 55 (2005), section 5.2 (heavy hitters from Count-Min and a heap).
 */
export class TopK {
  private readonly budget: StateBudget
  private readonly hasher: ValueHasher
  /** Exact: counts of all values. Sketched: candidates with their last estimate. */
  private counts = new Map<ListedScalar, number>()
  private sketch: CountMin | undefined
  /** No value with an estimate below this can be among the candidates. */
  private floor = 0

  /** `hasher` may be shared: nothing of it is kept between two calls. */
  constructor(budget: StateBudget, hasher: ValueHasher) {
    this.budget = budget
    this.hasher = hasher
    budget.take(ENTRY_BYTES)
  }

  /** Whether `add` needs the hash: exact counts do not. */
  get hashes(): boolean {
    return this.sketch !== undefined
  }

  /** Counts a value; the hasher holds its hash if `hashes` says so. */
  add(value: ListedScalar, count: number): void {
    if (this.sketch !== undefined) {
      this.offer(value, this.sketch.add(this.hasher.high, this.hasher.low, count))
      return
    }
    const held = this.counts.get(value)
    this.counts.set(value, (held ?? 0) + count)
    if (held !== undefined) return
    this.budget.take(ENTRY_BYTES + (typeof value === 'string' ? value.length : 0))
    if (this.counts.size > TOP_K_VALUES_MAX) this.becomeSketch()
  }

  merge(other: TopKState): void {
    if (other.form === 'exact') {
      for (const [value, count] of other.counts) {
        if (this.hashes) this.hash(value)
        this.add(value, count)
      }
      return
    }
    const sketch = this.becomeSketch()
    sketch.merge(other.counters)
    for (const value of [...this.counts.keys(), ...other.candidates]) {
      this.hash(value)
      this.counts.set(value, sketch.estimate(this.hasher.high, this.hasher.low))
    }
    this.prune()
  }

  state(): TopKState {
    if (this.sketch === undefined) return { form: 'exact', counts: this.counts }
    this.prune()
    return { form: 'sketch', candidates: [...this.counts.keys()], counters: this.sketch.counters }
  }

  private offer(value: ListedScalar, estimate: number): void {
    if (estimate < this.floor) return
    this.counts.set(value, estimate)
    if (this.counts.size > CANDIDATES_MAX) this.prune()
  }

  private prune(): void {
    if (this.counts.size <= TOP_K_VALUES_MAX) return
    const kept = [...this.counts].sort((a, b) => b[1] - a[1]).slice(0, TOP_K_VALUES_MAX)
    this.floor = kept.at(-1)![1]
    this.counts = new Map(kept)
  }

  private becomeSketch(): CountMin {
    if (this.sketch !== undefined) return this.sketch
    this.budget.take(COUNT_MIN_BYTES + CANDIDATES_MAX * ENTRY_BYTES)
    const sketch = new CountMin()
    for (const [value, count] of this.counts) {
      this.hash(value)
      sketch.add(this.hasher.high, this.hasher.low, count)
    }
    this.sketch = sketch
    return sketch
  }

  private hash(value: ListedScalar): void {
    if (typeof value === 'string') this.hasher.ofText(value)
    else this.hasher.ofNumber(value)
  }
}

/**
 * The k most frequent values of a state, most frequent first, ties in ascending order: count - error_max <= truth <=
 * count; error_max is 0 where counts are exact, else holds with the probability of count-min.ts.
 */
export function topEntries(state: TopKState, k: number): TopEntry<ListedScalar>[] {
  const hasher = new ValueHasher()
  const sketch = state.form === 'sketch' ? new CountMin(state.counters) : undefined
  const error_max = sketch === undefined ? 0 : Math.ceil(sketch.total() * COUNT_MIN_RELATIVE_ERROR)
  const values = state.form === 'exact' ? [...state.counts.keys()] : state.candidates
  const entries = values.map((value) => {
    if (state.form === 'exact') return { value, count: state.counts.get(value) ?? 0, error_max }
    if (typeof value === 'string') hasher.ofText(value)
    else hasher.ofNumber(value)
    return { value, count: sketch?.estimate(hasher.high, hasher.low) ?? 0, error_max }
  })
  // States list their values in ascending order, and sorting is stable.
  return entries.sort((a, b) => b.count - a.count).slice(0, k)
}
