import type { Column } from '@truenow/contracts/wire/column.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'

/** Where the rows of an update stand: indexed like the rows of their column. */
export type RowPlaces = Readonly<{
  slot: number
  /** Event times, µs. */
  times: Float64Array
  /** Number of each row in the slot's log order. */
  rowNumbers: Float64Array
}>

/**
 * One aggregate over many groups: `update` adds rows, `merge` adds another's partial state, `columns` is the partial
 * state in the form of partial-result-v1. Groups are numbered from 0; `reserve` makes room before either is called.
 * Merging is associative and commutative, but for the last bits of float64 sums and variances (tested).
 */
export type Accumulator = Readonly<{
  reserve: (groups: number) => void
  /** Adds row `rows[i]` of `column` to group `groups[i]`, i < count. A column that is not there is all null. */
  update: (
    column: Column | undefined,
    rows: Uint32Array,
    groups: Uint32Array,
    count: number,
    places: RowPlaces,
  ) => void
  /** Adds state row i of a partial result's columns to group `groups[i]`. */
  merge: (state: (part: string) => Column, groups: Uint32Array, count: number) => void
  columns: (groups: number) => readonly NamedColumn[]
}>

/** An array of zeros, or of another number, that grows by doubling. */
export class GrowingNumbers {
  values: Float64Array
  private readonly initial: number

  constructor(initial = 0) {
    this.initial = initial
    this.values = new Float64Array(16).fill(initial)
  }

  reserve(length: number): void {
    if (length <= this.values.length) return
    let capacity = this.values.length
    while (capacity < length) capacity *= 2
    const larger = new Float64Array(capacity)
    larger.set(this.values)
    if (this.initial !== 0) larger.fill(this.initial, this.values.length)
    this.values = larger
  }
  take(length: number): Float64Array {
    return this.values.slice(0, length)
  }
}
