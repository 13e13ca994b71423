import type { AggregateCall } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import { encodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import type { StateBudget } from '../aggregates/state-budget.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import type { Selection } from '../filters/select-rows.ts'
import { CONDENSE_SCRATCH_BYTES, type Kernels, type OptionalPointer } from '../simd/kernels.ts'
import { TDigest } from '../sketches/t-digest.ts'
import type { CellPart } from './cell-part.ts'
import { selectedRows } from './key-cells.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import { validRows } from './valid-rows.ts'

const NONE = new Float64Array(0)
const EMPTY = encodeTDigest({ min: 0, max: 0, means: NONE, weights: NONE })
/** With more cells a chunk has few values for each: they go to the digests one by one. */
const CELLS_MAX = 4_096
/** Values that wait until they are worth a merge, of all cells (8 MiB) and of one, which kernels condense at once. */
const WAITING_MAX = 1 << 20
const WAITING_OF_CELL_MAX = 32_768
/** Fewer are not worth bins. */
const CONDENSED_MIN = 128

/**
 * QUANTILE of numbers by cell. Kernels put the values of each cell side by side, where they wait until they are many, and
 * make few centroids of them, which its digest merges: a merge costs the digest's own centroids too. Equal cuts on equal
 * shards give equal bits. Twin: quantile.ts, within the bound that both have. Cost: O(rows). Errors: TN_QUERY_LIMIT when the digests outgrow `budget`.
 */
export class CellDigests implements CellPart {
  private readonly column: string
  private readonly budget: StateBudget
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private digests = new Map<number, TDigest>()
  private cells = 0
  /** Room for `waitingMax` values of each cell, and how many wait. Cells that move take none with them. */
  private waiting = 0
  private waitingMax = 0
  private waits = new Uint32Array(0)

  constructor(column: string, budget: StateBudget, kernels: Kernels, scratch: Scratch) {
    this.column = column
    this.budget = budget
    this.kernels = kernels
    this.scratch = scratch
  }

  static takes(type: ColumnType | undefined): boolean {
    return type === 'float64' || type === 'int64'
  }

  reserve(cells: number): void {
    if (cells > this.cells) this.move(Math.max(cells, this.cells * 2), (cell) => cell)
  }

  move(atLeast: number, place: (cell: number) => number): void {
    this.absorbAll()
    this.digests = new Map([...this.digests].map(([cell, digest]) => [place(cell), digest]))
    this.cells = atLeast
    if (this.waiting !== 0) this.scratch.free(this.waiting)
    this.waiting = 0
    this.waits = new Uint32Array(0)
    if (atLeast > CELLS_MAX) return
    this.waitingMax = Math.min(WAITING_OF_CELL_MAX, Math.floor(WAITING_MAX / atLeast))
    this.waiting = this.scratch.allocate(atLeast * this.waitingMax * 8)
    this.waits = new Uint32Array(atLeast)
  }

  update(source: ResidentSource, selection: Selection, groups: OptionalPointer): void {
    const { kernels, scratch, cells } = this
    const valid = validRows(this.column, source, selection, kernels, scratch)
    if (valid === undefined) return
    const { rowCount } = source
    const { chunk } = source.resident
    const values = chunk.valuesAt(chunk.layout.indexOf(this.column)!)
    if (cells > CELLS_MAX) {
      const count = valid === 0 ? rowCount : kernels.bitmapCount(valid, rowCount)
      const [numbers, of] = [scratch.doublesAt(values, rowCount), scratch.wordsAt(groups, rowCount)]
      for (const row of selectedRows({ pointer: valid, count }, rowCount, kernels, scratch))
        this.digestOf(of[row]!).add(numbers[row]!)
      return
    }
    const endsAt = scratch.keep('ends of values by cell', CELLS_MAX * 4)
    const out = scratch.keep('values by cell', CHUNK_ROWS_MAX * 8)
    kernels.groupValues(values, groups, rowCount, valid, cells, endsAt, out)
    let from = 0
    for (const [cell, end] of scratch.wordsAt(endsAt, cells).entries()) {
      if (end > from) this.addRun(cell, out + from * 8, end - from)
      from = end
    }
  }

  columns(_call: AggregateCall, cells: Uint32Array): readonly NamedColumn[] {
    this.absorbAll()
    const values = Array.from(cells, (cell) => {
      const digest = this.digests.get(cell)
      return digest === undefined ? EMPTY : encodeTDigest(digest.state())
    })
    return [{ name: 'sketch', column: { type: 'bytes', values } }]
  }

  private addRun(cell: number, values: number, count: number): void {
    const run = this.scratch.doublesAt(values, count)
    for (let from = 0; from < count; ) {
      if (this.waits[cell] === this.waitingMax) this.absorb(cell)
      const held = this.waits[cell]!
      const some = run.subarray(from, from + this.waitingMax - held)
      this.scratch.doublesAt(this.waitingAt(cell), this.waitingMax).set(some, held)
      this.waits[cell] = held + some.length
      from += some.length
    }
  }

  private waitingAt(cell: number): number {
    return this.waiting + cell * this.waitingMax * 8
  }

  private absorbAll(): void {
    for (let cell = 0; cell < this.waits.length; cell++) this.absorb(cell)
  }

  /** What waits, into the digest of its cell. */
  private absorb(cell: number): void {
    const count = this.waits[cell]!
    if (count === 0) return
    this.waits[cell] = 0
    const digest = this.digestOf(cell)
    const values = this.waitingAt(cell)
    if (count < CONDENSED_MIN) {
      for (const value of this.scratch.doublesAt(values, count)) digest.add(value)
      return
    }
    const out = this.scratch.keep('centroids', (WAITING_OF_CELL_MAX + 1) * 16)
    const work = this.scratch.keep('bins of values', CONDENSE_SCRATCH_BYTES)
    const found = this.kernels.condenseValues(values, count, out, work)
    const pairs = this.scratch.doublesAt(out + 16, 2 * found)
    const [means, weights] = [new Float64Array(found), new Float64Array(found)]
    for (let at = 0; at < found; at++) {
      means[at] = pairs[2 * at]!
      weights[at] = pairs[2 * at + 1]!
    }
    digest.merge({ min: means[0]!, max: means[found - 1]!, means, weights })
  }

  private digestOf(cell: number): TDigest {
    let digest = this.digests.get(cell)
    if (digest === undefined) {
      digest = new TDigest(this.budget)
      this.digests.set(cell, digest)
    }
    return digest
  }
}
