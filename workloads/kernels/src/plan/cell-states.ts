import { type AggregateCall, AggregateFunction } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import { WideIntegers } from '@truenow/contracts/wire/int128s.ts'
import { columnOf } from '../aggregates/extreme.ts'
import { ALL_ROWS, type Selection } from '../filters/select-rows.ts'
import { FEW_GROUPS_MAX, FEW_GROUPS_SCRATCH_BYTES, type Kernels, sumWorkBytes } from '../simd/kernels.ts'
import type { CellPart } from './cell-part.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import { numberedKey, type SumKeys, writeSumKeys } from './sum-keys.ts'
import { validRows } from './valid-rows.ts'

/** counts: f64 | floats: sum, compensation, count | integers: high, low, count | extremes: min, max, count. */
export type StateKind = 'counts' | 'floats' | 'integers' | 'extremes'
export type StateNeed = Readonly<{ kind: StateKind; column: string; type: NumberType }>
type NumberType = 'float64' | 'int64' | 'timestamp'

const WORDS: Readonly<Record<StateKind, number>> = { counts: 1, floats: 3, integers: 3, extremes: 3 }
const WORD_BYTES = 8
const WORD = 2 ** 32
/** Kernels that read codes of one byte may write any cell that such a code can name. */
const CELLS_MIN = FEW_GROUPS_MAX
/** Sums of float64 of more cells are added to their states row by row: cells in fixed point would not stay in the caches. */
const FIXED_CELLS_MAX = 1 << 16

/** What a call needs of the kernels; undefined when they do not have it (text, ids, event time, sketches). */
export function stateOf(
  { function: aggregate, column }: AggregateCall,
  { columns }: TableDefinition,
): StateNeed | undefined {
  const type = columns.find(({ name }) => name === column)?.type
  switch (aggregate) {
    case AggregateFunction.COUNT:
      return type === undefined && column !== '' ? undefined : { kind: 'counts', column, type: 'int64' }
    case AggregateFunction.SUM:
    case AggregateFunction.AVG:
      if (type === 'float64') return { kind: 'floats', column, type }
      return type === 'int64' ? { kind: 'integers', column, type } : undefined
    case AggregateFunction.MIN:
    case AggregateFunction.MAX:
      return type === 'float64' || type === 'int64' || type === 'timestamp'
        ? { kind: 'extremes', column, type }
        : undefined
    default:
      return undefined
  }
}

/** An i64 as a double, rounded beyond 2^53. */
const integerAt = (halves: Uint32Array, word: number): number =>
  (halves[2 * word + 1]! | 0) * WORD + halves[2 * word]!

/** States of one kind over one column, a cell each, in the arena. */
export class CellStates implements CellPart {
  readonly kind: StateKind
  readonly column: string
  private readonly type: NumberType
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private pointer = 0
  private cells = 0
  /** Sums in fixed point that are not in the states yet; 0: there are none. */
  private work = 0

  constructor({ kind, column, type }: StateNeed, kernels: Kernels, scratch: Scratch) {
    this.kind = kind
    this.column = column
    this.type = type
    this.kernels = kernels
    this.scratch = scratch
  }

  /** Room for so many cells, those that are new in their first state. */
  reserve(cells: number): void {
    if (cells > this.cells) this.move(Math.max(cells, this.cells * 2), (cell) => cell, this.cells)
  }

  /** Puts cell i < `from` to `place(i)`; a place below 0 drops it. */
  move(atLeast: number, place: (cell: number) => number, from: number): void {
    this.settle()
    if (this.work !== 0) this.scratch.free(this.work)
    this.work = 0
    const cells = Math.max(atLeast, CELLS_MIN)
    const words = WORDS[this.kind]
    const pointer = this.scratch.allocate(cells * words * WORD_BYTES)
    const bits = this.scratch.integersAt(pointer, cells * words).fill(0n)
    if (this.kind === 'extremes') {
      const numbers = this.scratch.doublesAt(pointer, cells * words)
      for (let cell = 0; cell < cells; cell++) {
        numbers[cell * 3] = Number.POSITIVE_INFINITY
        numbers[cell * 3 + 1] = Number.NEGATIVE_INFINITY
      }
    }
    const old = this.pointer === 0 ? undefined : this.scratch.integersAt(this.pointer, this.cells * words)
    for (let cell = 0; old !== undefined && cell < from; cell++) {
      const to = place(cell)
      for (let word = 0; to >= 0 && word < words; word++) bits[to * words + word] = old[cell * words + word]!
    }
    if (this.pointer !== 0) this.scratch.free(this.pointer)
    this.pointer = pointer
    this.cells = cells
  }

  /** Adds the selected rows of a source to the cells that `groups` names, u32 a row; 0: all to cell 0. */
  update(source: ResidentSource, selection: Selection, groups: number): void {
    const valid = validRows(this.column, source, selection, this.kernels, this.scratch)
    if (valid === undefined) return
    const { rowCount } = source
    const values = this.valuesOf(source)
    const { kernels, pointer } = this
    if (this.kind === 'counts') {
      if (groups !== 0) kernels.groupCount(groups, rowCount, valid, pointer)
      else
        this.scratch.doublesAt(pointer, 1)[0]! +=
          valid === ALL_ROWS ? rowCount : kernels.bitmapCount(valid, rowCount)
    } else if (this.kind === 'floats') {
      if (groups === 0) kernels.sumF64(values, rowCount, valid, pointer)
      else if (this.cells > FIXED_CELLS_MAX) kernels.groupSumF64(values, groups, rowCount, valid, pointer)
      else
        this.sum(values, rowCount, valid, writeSumKeys([numberedKey(groups, this.cells)], [1], this.scratch))
    } else if (this.kind === 'integers') {
      if (groups === 0) kernels.sumI64(values, rowCount, valid, pointer)
      else kernels.groupSumI64(values, groups, rowCount, valid, pointer)
    } else if (groups === 0) kernels.minMaxF64(values, rowCount, valid, pointer)
    else kernels.groupMinMaxF64(values, groups, rowCount, valid, pointer)
  }

  /** Whether `updateDirect` knows this kind. */
  get isDirect(): boolean {
    return this.kind === 'counts' || this.kind === 'floats'
  }

  /** The same, by codes of one byte as they stand in the chunk: each is its cell. */
  updateDirect(source: ResidentSource, selection: Selection, codes: number): void {
    const valid = validRows(this.column, source, selection, this.kernels, this.scratch)
    if (valid === undefined) return
    const replicas = this.scratch.keep('replicas', FEW_GROUPS_SCRATCH_BYTES)
    if (this.kind === 'counts') this.kernels.countBy8(codes, source.rowCount, valid, this.pointer, replicas)
    else this.kernels.sumF64By8(this.valuesOf(source), codes, source.rowCount, valid, this.pointer, replicas)
  }

  /** Whether `updateByKeys` may be called. */
  get takesKeys(): boolean {
    return this.kind === 'floats' && this.cells <= FIXED_CELLS_MAX
  }

  /** The same, by keys that the kernel numbers itself. */
  updateByKeys(source: ResidentSource, selection: Selection, keys: SumKeys): void {
    const valid = validRows(this.column, source, selection, this.kernels, this.scratch)
    if (valid !== undefined) this.sum(this.valuesOf(source), source.rowCount, valid, keys)
  }

  private sum(
    values: number,
    rowCount: number,
    valid: number,
    { pointer, count, first, end }: SumKeys,
  ): void {
    if (this.work === 0) {
      const bytes = sumWorkBytes(this.cells)
      this.work = this.scratch.allocate(bytes)
      this.scratch.bytesAt(this.work, bytes).fill(0)
    }
    this.kernels.sumF64ByKeys(values, pointer, count, rowCount, valid, first, end, this.work, this.pointer)
  }

  private settle(): void {
    if (this.work !== 0) this.kernels.settleSums(this.work, this.pointer)
  }

  /** The first cells that any value went into, ascending. */
  present(cells: number): Uint32Array {
    this.settle()
    const found = new Uint32Array(cells)
    let count = 0
    const words = WORDS[this.kind]
    // A count is 0 where its 64 bits are, be it a double or an integer.
    const halves = this.scratch.wordsAt(this.pointer, cells * words * 2)
    for (let cell = 0, at = (words - 1) * 2; cell < cells; cell++, at += words * 2) {
      if ((halves[at]! | halves[at + 1]!) !== 0) found[count++] = cell
    }
    return found.subarray(0, count)
  }

  private countsOf(cells: Uint32Array): Float64Array {
    const words = WORDS[this.kind]
    const counts = new Float64Array(cells.length)
    const bits = this.scratch.integersAt(this.pointer, this.cells * words)
    const numbers = this.scratch.doublesAt(this.pointer, this.cells * words)
    for (let at = 0; at < cells.length; at++) {
      const word = cells[at]! * words + words - 1
      counts[at] = this.kind === 'integers' ? Number(bits[word]!) : numbers[word]!
    }
    return counts
  }

  /** The partial state of a call over the given cells, in the form of partial-result-v1. */
  columns({ function: aggregate }: AggregateCall, cells: Uint32Array): readonly NamedColumn[] {
    const words = WORDS[this.kind]
    this.settle()
    const numbers = this.scratch.doublesAt(this.pointer, this.cells * words)
    const pick = (word: number) => {
      const picked = new Float64Array(cells.length)
      for (let at = 0; at < picked.length; at++) picked[at] = numbers[cells[at]! * words + word]!
      return picked
    }
    const int64 = (values: Float64Array): Column => ({ type: 'int64', values })
    if (aggregate === AggregateFunction.COUNT) {
      return [{ name: 'count', column: int64(this.countsOf(cells)) }]
    }
    switch (this.kind) {
      case 'counts':
        throw new TypeError('counts are of COUNT alone')
      case 'floats': {
        // All of a cell at once: cells of many groups come in an order in which each is a line that no cache has.
        const [sums, compensations, counts] = [new Float64Array(cells.length), new Float64Array(cells.length), new Float64Array(cells.length)] // biome-ignore format: one line
        for (let at = 0; at < cells.length; at++) {
          const word = cells[at]! * words
          sums[at] = numbers[word]!
          compensations[at] = numbers[word + 1]!
          counts[at] = numbers[word + 2]!
        }
        return [
          { name: 'sum', column: { type: 'float64', values: sums } },
          { name: 'compensation', column: { type: 'float64', values: compensations } },
          { name: 'count', column: int64(counts) },
        ]
      }
      case 'integers': {
        const bits = this.scratch.integersAt(this.pointer, this.cells * words)
        const halves = this.scratch.wordsAt(this.pointer, this.cells * words * 2)
        const values = WideIntegers.zeros(cells.length)
        for (let at = 0; at < cells.length; at++) {
          const word = cells[at]! * words
          const [high, low] = [integerAt(halves, word), integerAt(halves, word + 1)]
          // Then neither was rounded, nor is their sum.
          if (Math.abs(high) < 2 ** 20 && Math.abs(low) < 2 ** 52) values.setSafe(at, high * WORD + low)
          else values.set(at, (bits[word]! << 32n) + bits[word + 1]!)
        }
        return [
          { name: 'sum', column: { type: 'int128', values } },
          { name: 'count', column: int64(this.countsOf(cells)) },
        ]
      }
      case 'extremes': {
        const best = pick(aggregate === AggregateFunction.MIN ? 0 : 1)
        const counts = pick(2)
        const values = Array.from(best, (value, index) => (counts[index] === 0 ? undefined : value))
        return [{ name: 'value', column: columnOf(this.type, values, cells.length) }]
      }
    }
  }

  private valuesOf({ resident: { chunk } }: ResidentSource): number {
    const index = chunk.layout.indexOf(this.column)
    return index === undefined ? 0 : chunk.valuesAt(index)
  }
}
