import type { AggregateCall } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import { encodeHyperLogLog, type HyperLogLogState } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import type { StateBudget } from '../aggregates/state-budget.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import type { Selection } from '../filters/select-rows.ts'
import { type Kernels, type OptionalPointer, REGISTER_BLOCK_BYTES } from '../simd/kernels.ts'
import { denseRegisters } from '../sketches/dense-registers.ts'
import { entryOfHash } from '../sketches/entry-of-hash.ts'
import { HyperLogLog } from '../sketches/hyperloglog.ts'
import { ValueHasher } from '../sketches/value-hasher.ts'
import type { CellPart } from './cell-part.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import { validRows } from './valid-rows.ts'

const EMPTY = encodeHyperLogLog({ form: 'sparse', entries: new Uint32Array(0) })
/** Sparse cells that remember their entries; those beyond are given every row: 16 MiB of blocks at most. */
const SPARSE_BLOCKS_MAX = 1_024
const DENSE = 1
type TextColumn = Extract<ReturnType<ResidentSource['column']>, { type: 'string' }>

/**
 * APPROX_COUNT_DISTINCT of text or numbers by cell. A kernel raises the registers of cells that are dense; the few rows that
 * it cannot place (a cell that is sparse, a text that was never hashed) go to the cell's HyperLogLog here. The state is that
 * of the twin, approx-count-distinct.ts, bit for bit. Cost: O(rows), a text is hashed once as long as its pool has it.
 * Errors: TN_QUERY_LIMIT when the sketches outgrow `budget`.
 */
export class CellRegisters implements CellPart {
  private readonly column: string
  private readonly budget: StateBudget
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly hasher = new ValueHasher()
  private sketches = new Map<number, HyperLogLog>()
  /** Addresses of blocks by cell, as the kernels read them, with the bit of the dense ones. */
  private blocks = 0
  private cells = 0
  private sparseBlocks = 0
  /** Address of the entries of texts, and the array they were copied from. */
  private entries = 0
  private entriesOf: Uint32Array | undefined

  constructor(column: string, budget: StateBudget, kernels: Kernels, scratch: Scratch) {
    this.column = column
    this.budget = budget
    this.kernels = kernels
    this.scratch = scratch
  }

  /** Ids, booleans and event times go row by row. */
  static takes(type: ColumnType | undefined): boolean {
    return type === 'string' || type === 'float64' || type === 'int64' || type === 'timestamp'
  }

  reserve(cells: number): void {
    if (cells > this.cells) this.move(Math.max(cells, this.cells * 2), (cell) => cell, this.cells)
  }

  move(atLeast: number, place: (cell: number) => number, from: number): void {
    const pointer = this.scratch.allocate(atLeast * 4)
    const moved = this.scratch.wordsAt(pointer, atLeast).fill(0)
    const held = this.blocks === 0 ? undefined : this.scratch.wordsAt(this.blocks, this.cells)
    for (let cell = 0; held !== undefined && cell < from; cell++) {
      if (held[cell] !== 0 && place(cell) >= 0) moved[place(cell)] = held[cell]!
    }
    this.sketches = new Map([...this.sketches].map(([cell, sketch]) => [place(cell), sketch]))
    if (this.blocks !== 0) this.scratch.free(this.blocks)
    this.blocks = pointer
    this.cells = atLeast
  }

  update(source: ResidentSource, selection: Selection, groups: OptionalPointer): void {
    const valid = validRows(this.column, source, selection, this.kernels, this.scratch)
    if (valid === undefined) return
    const { rowCount } = source
    const rest = this.scratch.keep('rows that no kernel places', CHUNK_ROWS_MAX * 4)
    const cells = groups === 0 ? undefined : this.scratch.wordsAt(groups, rowCount)
    const column = source.column(this.column)
    if (column?.type === 'string') {
      const known = source.resident.pools.of(this.column).distinctEntries()
      const entries = this.entriesOfTexts(known)
      const count = this.raiseByCode(source, { groups, valid, entries, rest })
      this.addTexts(column, this.scratch.wordsAt(rest, count), cells, known)
      return
    }
    const { chunk } = source.resident
    const values = chunk.valuesAt(chunk.layout.indexOf(this.column)!)
    const entries = this.scratch.keep('entries of numbers', CHUNK_ROWS_MAX * 4)
    this.kernels.entriesOfF64(values, rowCount, entries)
    const count = this.kernels.raiseRegisters(entries, groups, rowCount, valid, this.blocks, rest)
    const words = this.scratch.wordsAt(entries, rowCount)
    for (const row of this.scratch.wordsAt(rest, count)) this.add(cells?.[row] ?? 0, words[row]!)
  }

  columns(_call: AggregateCall, cells: Uint32Array): readonly NamedColumn[] {
    const blocks = this.scratch.wordsAt(this.blocks, this.cells)
    const values = Array.from(cells, (cell) => {
      const state = this.sketches.get(cell)?.state()
      if (state === undefined) return EMPTY
      const block = blocks[cell]!
      return encodeHyperLogLog((block & DENSE) === 0 ? state : this.withBlock(state, block - DENSE))
    })
    return [{ name: 'sketch', column: { type: 'bytes', values } }]
  }

  /** What a cell's sketch has seen, with what kernels have. */
  private withBlock(state: HyperLogLogState, block: number): HyperLogLogState {
    if (state.form !== 'dense') throw new TypeError('a sparse sketch with a dense block')
    const registers = denseRegisters.unpack(state.registers)
    const raised = this.scratch.bytesAt(block, REGISTER_BLOCK_BYTES)
    for (let index = 0; index < registers.length; index++) {
      if (raised[index]! > registers[index]!) registers[index] = raised[index]!
    }
    return { form: 'dense', registers: denseRegisters.pack(registers) }
  }

  /** The pool's entries where kernels see them: copied once a query, and again when there are more texts. */
  private entriesOfTexts(known: Uint32Array): number {
    if (this.entriesOf !== known) {
      this.entries = this.scratch.keep(`entries of ${this.column}`, known.byteLength)
      this.scratch.wordsAt(this.entries, known.length).set(known)
      this.entriesOf = known
    }
    return this.entries
  }

  private raiseByCode(
    { resident: { chunk }, rowCount }: ResidentSource,
    { groups, valid, entries, rest }: Readonly<Record<'groups' | 'valid' | 'entries' | 'rest', number>>,
  ): number {
    const index = chunk.layout.indexOf(this.column)!
    const codes = chunk.valuesAt(index)
    const { width } = chunk.layout.columns[index]!
    const { kernels, blocks } = this
    if (width === 1) return kernels.raiseRegisters8(codes, groups, rowCount, valid, entries, blocks, rest)
    if (width === 2) return kernels.raiseRegisters16(codes, groups, rowCount, valid, entries, blocks, rest)
    return kernels.raiseRegisters32(codes, groups, rowCount, valid, entries, blocks, rest)
  }

  private addTexts(
    { codes, dictionary }: TextColumn,
    rows: Uint32Array,
    cells: Uint32Array | undefined,
    known: Uint32Array,
  ): void {
    const entries = this.scratch.wordsAt(this.entries, known.length)
    for (const row of rows) {
      const code = codes[row]!
      if (entries[code] === 0) {
        this.hasher.ofText(dictionary.at(code) ?? '')
        entries[code] = entryOfHash(this.hasher)
        known[code] = entries[code]!
      }
      this.add(cells?.[row] ?? 0, entries[code]!)
    }
  }

  private add(cell: number, entry: number): void {
    const sketch = this.sketches.get(cell) ?? this.open(cell)
    const was = sketch.isDense
    sketch.addEntry(entry)
    if (sketch.isDense && !was) this.setBlock(cell, DENSE)
  }

  private open(cell: number): HyperLogLog {
    const sketch = new HyperLogLog(this.budget)
    this.sketches.set(cell, sketch)
    if (this.sparseBlocks < SPARSE_BLOCKS_MAX) {
      this.sparseBlocks += 1
      this.setBlock(cell, 0)
    }
    return sketch
  }

  /** An empty block for a cell, in place of the one it may have. */
  private setBlock(cell: number, form: number): void {
    const blocks = this.scratch.wordsAt(this.blocks, this.cells)
    const block = blocks[cell] === 0 ? this.scratch.allocate(REGISTER_BLOCK_BYTES) : blocks[cell]!
    this.scratch.bytesAt(block, REGISTER_BLOCK_BYTES).fill(0)
    blocks[cell] = block + form
  }
}
