import type { ResidentSource, RollupLevel } from '../plan/row-source.ts'
import type { Scratch } from '../plan/scratch.ts'
import type { Kernels, OptionalPointer, Pointer } from '../simd/kernels.ts'
import { type CellPart, cellColumn, ROWS_COLUMN } from './cell-columns.ts'

export type Metric = Readonly<{ name: string; type: 'int64' | 'float64' }>

/** A state of the kernels: three words of 8 bytes a cell. */
const WORDS = 3
const WORD_BYTES = 8

/** Of one metric: sums (of int64 those of the lower halves, and `highs`), extremes, and how many values the cells added have. */
type MetricStates = Readonly<{ sums: Pointer; highs: Pointer; extremes: Pointer; counts: Pointer }>

/** Sums of cells in the making: rows are added, or the cells of a finer level. They are in the scratch until `free`. */
export class CellSums {
  readonly cells: number
  private readonly metrics: readonly Metric[]
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly taken: Pointer[] = []
  private readonly rows: Pointer
  private readonly states: readonly MetricStates[]
  /** Cells were added, not rows. */
  private ofCells = false

  /** Errors: TN_MEMORY_FULL; the owner of the scratch frees it then. */
  constructor(metrics: readonly Metric[], cells: number, kernels: Kernels, scratch: Scratch) {
    this.metrics = metrics
    this.cells = cells
    this.kernels = kernels
    this.scratch = scratch
    this.rows = this.zeros(1)
    this.states = metrics.map(({ type }) => ({
      sums: this.zeros(WORDS),
      highs: type === 'int64' ? this.zeros(WORDS) : 0,
      extremes: this.noExtremes(),
      counts: this.zeros(1),
    }))
  }

  /** Adds each row of a chunk to the cell that `groups` (u32 a row) names. */
  addRows(source: ResidentSource, groups: Pointer): void {
    const { kernels } = this
    const n = source.rowCount
    kernels.groupCount(groups, n, 0, this.rows)
    for (const [at, { name, type }] of this.metrics.entries()) {
      const column = columnAt(source, name)
      if (column === undefined) continue // It came with a later version: no value.
      const { values, validity } = column
      const { sums, extremes } = this.states[at]!
      if (type === 'float64') kernels.groupSumF64(values, groups, n, validity, sums)
      else kernels.groupSumI64(values, groups, n, validity, sums)
      kernels.groupMinMaxF64(values, groups, n, validity, extremes)
    }
  }

  /** Adds each cell of a finer level to the coarser one that `groups` names. */
  addCells({ cells: source }: RollupLevel, groups: Pointer): void {
    const { kernels } = this
    const n = source.rowCount
    this.ofCells = true
    this.addCounts(source, ROWS_COLUMN, groups, this.rows)
    for (const [at, { name, type }] of this.metrics.entries()) {
      const { sums, highs, extremes, counts } = this.states[at]!
      const of = (part: CellPart) => columnAt(source, cellColumn(name, part))!
      if (type === 'float64') {
        kernels.groupSumF64(of('sum').values, groups, n, 0, sums)
        kernels.groupSumF64(of('rest').values, groups, n, 0, sums)
      } else {
        kernels.groupSumI64(of('low').values, groups, n, 0, sums)
        kernels.groupSumI64(of('high').values, groups, n, 0, highs)
      }
      for (const { values, validity } of [of('min'), of('max')])
        kernels.groupMinMaxF64(values, groups, n, validity, extremes)
      this.addCounts(source, cellColumn(name, 'count'), groups, counts)
    }
  }

  /** False when a sum of float64 left its type: what such a cell says could not be added to others. */
  get isFinite(): boolean {
    return this.metrics.every(({ type }, at) => {
      if (type !== 'float64') return true
      const sums = this.doubles(this.states[at]!.sums, WORDS)
      for (let word = 0; word < sums.length; word += WORDS) if (!Number.isFinite(sums[word]!)) return false
      return true
    })
  }

  /** Rows of each cell. */
  rowCounts(): Float64Array {
    return this.doubles(this.rows, 1)
  }

  /** Values of a metric in each cell that are not null. */
  counts(metric: number): Float64Array {
    const { counts, extremes } = this.states[metric]!
    if (this.ofCells) return this.doubles(counts, 1)
    // Of rows the extremes have counted already.
    const states = this.doubles(extremes, WORDS)
    return Float64Array.from({ length: this.cells }, (_, cell) => states[cell * WORDS + 2]!)
  }

  /** Writes one part of a metric's state to a column, a cell each. */
  write(metric: number, part: Exclude<CellPart, 'count'>, target: Float64Array): void {
    const { sums, extremes } = this.states[metric]!
    if (part === 'high' || part === 'low') {
      this.writeHalf(metric, part, target)
      return
    }
    const from = this.doubles(part === 'min' || part === 'max' ? extremes : sums, WORDS)
    const word = part === 'min' || part === 'sum' ? 0 : 1
    for (let cell = 0; cell < this.cells; cell++) target[cell] = from[cell * WORDS + word]!
  }

  free(): void {
    for (const pointer of this.taken) this.scratch.free(pointer)
  }

  private writeHalf(metric: number, part: 'high' | 'low', target: Float64Array): void {
    const { sums, highs } = this.states[metric]!
    const [low, high] = [this.integers(sums), this.integers(highs)]
    for (let cell = 0; cell < this.cells; cell++) {
      const at = cell * WORDS
      const sum = (((high[at]! << 32n) + high[at + 1]!) << 32n) + (low[at]! << 32n) + low[at + 1]!
      target[cell] = Number(part === 'high' ? sum >> 32n : sum & 0xffff_ffffn)
    }
  }

  private addCounts(source: ResidentSource, name: string, groups: Pointer, counts: Pointer): void {
    const n = source.rowCount
    const from = this.scratch.doublesAt(columnAt(source, name)!.values, n)
    const [cells, target] = [this.scratch.wordsAt(groups, n), this.doubles(counts, 1)]
    for (let at = 0; at < n; at++) target[cells[at]!]! += from[at]!
  }

  private zeros(words: number): Pointer {
    const pointer = this.scratch.allocate(this.cells * words * WORD_BYTES)
    this.taken.push(pointer)
    this.doubles(pointer, words).fill(0)
    return pointer
  }

  private noExtremes(): Pointer {
    const pointer = this.zeros(WORDS)
    const words = this.doubles(pointer, WORDS)
    for (let word = 0; word < words.length; word += WORDS) {
      words[word] = Number.POSITIVE_INFINITY
      words[word + 1] = Number.NEGATIVE_INFINITY
    }
    return pointer
  }

  private doubles(pointer: Pointer, words: number): Float64Array {
    return this.scratch.doublesAt(pointer, this.cells * words)
  }
  private integers(pointer: Pointer): BigInt64Array {
    return this.scratch.integersAt(pointer, this.cells * WORDS)
  }
}

/** Addresses of a column of a chunk; undefined when the chunk does not have it. */
function columnAt(
  { resident: { chunk } }: ResidentSource,
  name: string,
): Readonly<{ values: Pointer; validity: OptionalPointer }> | undefined {
  const index = chunk.layout.indexOf(name)
  if (index === undefined) return undefined
  return { values: chunk.valuesAt(index), validity: chunk.validityAt(index) }
}
