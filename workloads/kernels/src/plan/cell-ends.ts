import { type AggregateCall, AggregateFunction } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Accumulator } from '../aggregates/accumulator.ts'
import type { ScalarType } from '../aggregates/extreme.ts'
import { firstLastAccumulator } from '../aggregates/first-last.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import { pickRows } from '../columns/pick-rows.ts'
import type { Selection } from '../filters/select-rows.ts'
import type { Kernels, OptionalPointer } from '../simd/kernels.ts'
import type { CellPart } from './cell-part.ts'
import { selectedRows } from './key-cells.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import { validRows } from './valid-rows.ts'

const NO_NUMBER = -1
const WORD = 2n ** 32n
const ALL_BITS = 2n ** 64n - 1n

/**
 * FIRST or LAST by cell: a kernel finds the row of each cell that stands first or last within a chunk, and only those go to
 * the accumulator, which judges between chunks and slots. Twin: first-last.ts. Cost: O(rows).
 */
export class CellEnds implements CellPart {
  private readonly column: string
  private readonly isLast: boolean
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly accumulator: Accumulator
  /** The accumulator's groups: number by cell, and how many there are. */
  private numbers = new Int32Array(0)
  private count = 0
  /** By number: the event time of what is held, µs. */
  private readonly endsUs: number[] = []
  private ends = 0

  constructor(
    { function: aggregate, column }: AggregateCall,
    type: ScalarType,
    kernels: Kernels,
    scratch: Scratch,
  ) {
    this.column = column
    this.isLast = aggregate === AggregateFunction.LAST
    this.kernels = kernels
    this.scratch = scratch
    this.accumulator = firstLastAccumulator(type, this.isLast ? 1 : -1)
  }

  reserve(cells: number): void {
    const held = this.numbers.length
    if (cells > held) this.move(Math.max(cells, held * 2), (cell) => cell, held)
  }

  move(atLeast: number, place: (cell: number) => number, from: number): void {
    const moved = new Int32Array(atLeast).fill(NO_NUMBER)
    for (let cell = 0; cell < from; cell++) {
      const number = this.numbers[cell] ?? NO_NUMBER
      if (number !== NO_NUMBER && place(cell) >= 0) moved[place(cell)] = number
    }
    this.numbers = moved
    if (this.ends !== 0) this.scratch.free(this.ends)
    this.ends = this.scratch.allocate(atLeast * 8)
    this.scratch.bytesAt(this.ends, atLeast * 8).fill(0)
  }

  /** Each of the `groups` groups that there can be has a later row by now: the source may be passed over. */
  isPast(source: ResidentSource, groups: number): boolean {
    return this.isLast && this.count >= groups && this.endsUs.every((endUs) => endUs > source.timeUsMax)
  }

  update(source: ResidentSource, selection: Selection, groups: OptionalPointer): void {
    const { kernels, scratch } = this
    const valid = validRows(this.column, source, selection, kernels, scratch)
    if (valid === undefined) return
    const { rowCount } = source
    const cells = groups === 0 ? undefined : scratch.wordsAt(groups, rowCount)
    const { chunk } = source.resident
    if (chunk.layout.timeWidth === 8) {
      const count = valid === 0 ? rowCount : kernels.bitmapCount(valid, rowCount)
      const rows = selectedRows({ pointer: valid, count }, rowCount, kernels, scratch)
      this.accumulate(
        source,
        rows,
        Uint32Array.from(rows, (row) => cells?.[row] ?? 0),
      )
      return
    }
    const touched = scratch.keep('touched cells', CHUNK_ROWS_MAX * 4)
    const times = chunk.timesAt
    const last = this.isLast ? 1 : 0
    const count = kernels.groupEndRows(last, times, groups, rowCount, valid, this.ends, touched)
    const winners = scratch.wordsAt(touched, count)
    const places = new BigUint64Array(scratch.wordsAt(this.ends, 0).buffer, this.ends, this.numbers.length)
    const rows = Uint32Array.from(winners, (cell) => {
      const place = this.isLast ? places[cell]! : ALL_BITS - places[cell]!
      places[cell] = 0n
      return Number(place % WORD) - 1
    })
    this.accumulate(source, rows, winners)
  }

  columns(_call: AggregateCall, cells: Uint32Array): readonly NamedColumn[] {
    const rows = Uint32Array.from(cells, (cell) => this.numberOf(cell))
    this.accumulator.reserve(this.count)
    return this.accumulator
      .columns(this.count)
      .map(({ name, column }) => ({ name, column: pickRows(column, rows) }))
  }

  /** Only of these rows times and row numbers are made doubles. */
  private accumulate(source: ResidentSource, rows: Uint32Array, cells: Uint32Array): void {
    const column = source.column(this.column)
    if (column === undefined) return
    const { chunk, startUs } = source.resident
    const offsets = chunk.times()
    const rowNumbers = chunk.rowNumbers(rows.reduce((most, row) => Math.max(most, row + 1), 0))
    const base = chunk.layout.timeWidth === 8 ? 0 : startUs
    const places = {
      slot: source.slot,
      times: Float64Array.from(rows, (row) => base + offsets[row]!),
      rowNumbers: Float64Array.from(rows, (row) => rowNumbers[row]!),
    }
    const numbers = Uint32Array.from(cells, (cell) => this.numberOf(cell))
    const own = Uint32Array.from(rows, (_, at) => at)
    this.accumulator.reserve(this.count)
    this.accumulator.update(pickRows(column, rows), own, numbers, rows.length, places)
    for (const [at, number] of numbers.entries()) {
      const timeUs = places.times[at]!
      if (!(this.endsUs[number]! >= timeUs)) this.endsUs[number] = timeUs
    }
  }

  private numberOf(cell: number): number {
    if (this.numbers[cell] === NO_NUMBER) this.numbers[cell] = this.count++
    return this.numbers[cell]!
  }
}
