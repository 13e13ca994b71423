import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import { type Arena, UNIT_BYTES } from '../columns/arena.ts'
import { CHUNK_ROWS_MAX, CHUNK_ROWS_MIN, Chunk } from '../columns/chunk.ts'
import { type ChunkLayout, NARROW_TIMES, WIDE_TIMES, type Width } from '../columns/chunk-layout.ts'
import type { TextPools } from '../columns/text-pool.ts'
import type { BucketRollup } from '../rollups/bucket-rollup.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { ChunkSource } from './chunk-source.ts'
import { digestStagedRows, EMPTY_DIGEST, type RowDigest } from './digest-staged-rows.ts'
import { sliceColumn } from './slice-column.ts'
import { type StagedColumn, StagedRows } from './staged-rows.ts'
import { numberAt, type RowNumbers, writeColumn, writeRows } from './write-rows.ts'

const TWO_TO_32 = 2 ** 32
/** Id and event time stand before the columns that a table declares. */
const COLUMNS_BEFORE = 2
const NUMBER_BYTES = 8
const CODE_BYTES_MAX = 4
/** Id and time. */
const ROW_BYTES_BESIDE_COLUMNS = 16 + 8
const BITMAP_BYTES_A_ROW = 1 / 8
/** Room beyond the rows that are expected, as a part of them: a copy costs more than what is given back by `trim`. */
const EXPECTED_PART = 1 / 16
/** Room behind the last row that is not worth moving all before it, and that is not worth a copy of it, as a part of them. */
const SPARE_PART = 1 / 512
const SPARE_PART_READ = 1 / 32
const NO_CHUNKS: readonly Chunk[] = []
/** What each column may take to begin at a whole one. */
const VECTOR_BYTES = 16

/**
 * Rows of one slot in one span [startUs, endUs) of event time, in log order: chunks of at most 65,536 rows. Only the last
 * one is open; what a chunk holds never changes.
 */
export class RowBucket {
  readonly startUs: number
  readonly endUs: number
  rowCount = 0
  /** Offset of the last record that changed it: its version. */
  changedAtOffset = -1
  private digestA = EMPTY_DIGEST.a
  private digestB = EMPTY_DIGEST.b
  /** Rows that the digest covers beyond those held: memory pressure took them. */
  evictedRows = 0
  /** Of the rows in its first `foldedChunks` chunks; rows that came later are beside it. */
  rollup: BucketRollup | undefined
  private foldedChunks = 0
  /** Chunks that nothing is appended to any more: they are folded, or are being so. */
  private closedChunks = 0
  readonly arena: Arena
  /** Full ones, and the one that takes rows: most buckets of a quiet slot have this one only. */
  private sealed: readonly Chunk[] = NO_CHUNKS
  private open: Chunk | undefined
  readonly texts: TextPools
  private layout: ChunkLayout
  /** Rows that it will probably hold: room for them is taken at once, for each doubling copies what is there. */
  private rowsExpected: number

  /** `rowsLike`: rows of a bucket that had probably as many. */
  constructor(startUs: number, endUs: number, arena: Arena, texts: TextPools, rowsLike = 0) {
    this.rowsExpected = Math.ceil(rowsLike * (1 + EXPECTED_PART))
    this.startUs = startUs
    this.endUs = endUs
    this.arena = arena
    this.texts = texts
    this.layout = endUs - startUs <= TWO_TO_32 ? NARROW_TIMES : WIDE_TIMES
  }

  /** Order-dependent digest of all its rows: equal rows in equal order give equal words. */
  get digest(): RowDigest {
    return { a: this.digestA, b: this.digestB }
  }
  set digest({ a, b }: RowDigest) {
    this.digestA = a
    this.digestB = b
  }

  /** Bytes that appending `rowCount` rows may ask the arena for, at most: the open chunk laid out anew, and those after it. */
  bytesFor(rowCount: number, definition: TableDefinition): number {
    const held = this.isClosed ? 0 : (this.open?.rowCount ?? 0)
    const names = new Map(this.layout.columns.map(({ name, type }) => [name, type]))
    for (const { name, type } of definition.columns) names.set(name, type)
    let rowBytes = ROW_BYTES_BESIDE_COLUMNS
    for (const type of names.values()) rowBytes += widthMost(type) + BITMAP_BYTES_A_ROW
    let capacity = 0
    for (let rows = held + rowCount; rows > 0; rows -= CHUNK_ROWS_MAX) {
      const isNew = capacity > 0 || held === 0
      capacity += isNew ? Math.max(capacityFor(rows), this.capacityExpected) : capacityFor(rows)
    }
    const chunks = Math.ceil((held + rowCount) / CHUNK_ROWS_MAX)
    const rounding = (3 + 2 * names.size) * VECTOR_BYTES + UNIT_BYTES
    return Math.ceil(capacity * rowBytes) + chunks * rounding
  }

  /**
   * Appends rows `rows` of a staged block that follows `definition`; `numbers` are those of the block's rows in
   * the slot's log. The pools must
   * have room for its texts (`reserveTexts`).
   */
  append(staged: StagedRows, definition: TableDefinition, rows: Uint32Array, numbers: RowNumbers): void {
    if (rows.length === 0) return
    staged.name(rows)
    this.insert(staged, definition, rows, numbers)
    this.digest = digestStagedRows(staged, rows.length, this.digest)
  }

  /** Puts back all rows of an empty bucket, in log order, with the digest that they had. Errors: TN_MEMORY_FULL. */
  restore(
    { columns }: Pick<Block, 'columns'>,
    definition: TableDefinition,
    numbers: Float64Array,
    digest: RowDigest,
  ): void {
    this.rowsExpected = numbers.length
    for (let from = 0; from < numbers.length; from += CHUNK_ROWS_MAX) {
      const end = Math.min(from + CHUNK_ROWS_MAX, numbers.length)
      const isWhole = end - from === numbers.length
      const own = isWhole ? columns : columns.map((column) => sliceColumn(column, from, end))
      const piece = numbers.subarray(from, end)
      const staged = new StagedRows(this.arena, own, end - from)
      try {
        reserveTexts(staged, definition, this.texts)
        const rows = new Uint32Array(end - from)
        for (let row = 0; row < rows.length; row++) rows[row] = row
        staged.name(rows)
        this.insert(staged, definition, rows, piece)
      } finally {
        staged.free()
      }
    }
    this.digest = digest
  }

  private insert(
    staged: StagedRows,
    definition: TableDefinition,
    rows: Uint32Array,
    numbers: RowNumbers,
  ): void {
    const own = definition.columns.map(({ name, type }, index) => ({
      name,
      type,
      source: staged.columns[index + COLUMNS_BEFORE]!,
    }))
    for (const { name, source } of own) this.translate(staged, name, source, rows.length)
    const kernels = kernelsOf(this.arena)
    for (const { name, type, source } of own) {
      const { validity } = source
      this.fit(
        name,
        type,
        validity !== 0 && kernels.countBits(validity, staged.rows, rows.length) < rows.length,
      )
    }
    const present = new Set(own.map(({ name }) => name))
    // Blocks of an older version may still follow those of a newer one.
    for (const { name, type } of this.layout.columns) if (!present.has(name)) this.fit(name, type, true)
    for (let from = 0; from < rows.length; ) {
      const chunk = this.room(rows.length - from, numberAt(numbers, rows[from]!))
      const count = Math.min(rows.length - from, chunk.capacity - chunk.rowCount)
      const piece = { from, count }
      writeRows(chunk, staged, piece, { startUs: this.startUs, numbers, named: rows })
      for (const [index, { name }] of chunk.layout.columns.entries()) {
        const column = own.find((one) => one.name === name)
        if (column === undefined) chunk.writeNulls(index, count)
        else writeColumn(chunk, index, staged, column.source, piece)
      }
      chunk.rowCount += count
      from += count
    }
    this.rowCount += rows.length
  }

  /** Codes of a column's texts for the rows that were named. */
  private translate(
    staged: StagedRows,
    name: string,
    { texts, values }: StagedColumn,
    rowCount: number,
  ): void {
    if (texts === undefined) return
    const pool = this.texts.of(name)
    staged.find(pool, texts, this.endUs)
    pool.translate(texts, values, staged.rows, rowCount, this.endUs)
  }

  /** These rows, chunk by chunk, frozen for who retains the chunks and the rollup. */
  sources(slot: number, definition: TableDefinition): ChunkSource[] {
    return this.chunks.flatMap((chunk, at) => {
      const rollup = at < this.foldedChunks ? this.rollup : undefined
      if (chunk.rowCount === 0) return []
      return [new ChunkSource(slot, chunk, this.startUs, this.texts, definition, rollup)]
    })
  }

  /** These rows to be folded: what comes from now on goes to further chunks. Whoever folds them retains the chunks. */
  close(definition: TableDefinition): ChunkSource[] {
    this.closedChunks = this.chunks.length
    return this.sources(0, definition)
  }

  /** Puts a rollup of the rows that `close` gave in the place of the one before; without one they are scanned. */
  fold(rollup: BucketRollup | undefined): void {
    this.rollup?.retire()
    this.rollup = rollup
    this.foldedChunks = rollup === undefined ? 0 : this.closedChunks
  }

  /** Gives back the room behind the last row; rows that come late open it again. */
  trim(): void {
    const last = this.open
    if (last === undefined) return
    const capacity = Math.max(CHUNK_ROWS_MIN, wholeRows(last.rowCount))
    const spare = last.capacity - capacity
    if (spare <= capacity * SPARE_PART || last.shrink(capacity) || spare <= capacity * SPARE_PART_READ) return
    try {
      this.replaceLast(last, capacity)
    } catch (error) {
      // For a moment both need room. Without it the bucket stays as it is.
      if (!(error instanceof TrueNowError && error.code === 'TN_MEMORY_FULL')) throw error
    }
  }

  /** Gives everything back; cuts that read it keep it until they are released. */
  free(): void {
    for (const chunk of this.chunks) chunk.retire()
    this.sealed = NO_CHUNKS
    this.open = undefined
    this.fold(undefined)
  }

  /** Columns that its chunks have by now, besides id and time. */
  get columnTypes(): ReadonlyArray<Readonly<{ name: string; type: LayoutType }>> {
    return this.layout.columns
  }

  get residentBytes(): number {
    let bytes = (this.rollup?.residentBytes ?? 0) + (this.open?.residentBytes ?? 0)
    for (const chunk of this.sealed) bytes += chunk.residentBytes
    return bytes
  }

  private get chunks(): readonly Chunk[] {
    return this.open === undefined ? this.sealed : [...this.sealed, this.open]
  }

  /** Of the chunk after those that are full. */
  private get capacityExpected(): number {
    return Math.min(CHUNK_ROWS_MAX, wholeRows(Math.max(0, this.rowsExpected - this.rowCount)))
  }

  private get isClosed(): boolean {
    return this.sealed.length + (this.open === undefined ? 0 : 1) <= this.closedChunks
  }

  /** Makes the layout of chunks to come hold a column with what it has by now. */
  private fit(name: string, type: LayoutType, nulls: boolean): void {
    const index = this.layout.indexOf(name)
    const known = index === undefined ? undefined : this.layout.columns[index]
    const width = type === 'string' ? this.texts.of(name).width : type === 'bool' ? 1 : NUMBER_BYTES
    // Rows of the open chunk that are older than the column are null in it.
    const added = known === undefined && (this.open?.rowCount ?? 0) > 0
    const hasValidity = nulls || added || known?.hasValidity === true
    if (known?.width === width && known.hasValidity === hasValidity) return
    this.layout = this.layout.with({ name, type, width: width as Width, hasValidity })
  }

  /** The open chunk, in the layout of now, with room for `count` more rows or as many as a chunk can have. */
  private room(count: number, rowNumber: number): Chunk {
    const last = this.open
    const full = last === undefined || last.rowCount === CHUNK_ROWS_MAX
    if (full || this.isClosed) {
      const expected = full ? this.capacityExpected : 0
      const capacity = expected >= Math.min(count, CHUNK_ROWS_MAX) ? expected : capacityFor(count)
      const chunk = new Chunk(this.arena, this.layout, capacity, rowNumber)
      if (last !== undefined) this.sealed = [...this.sealed, last]
      this.open = chunk
      return chunk
    }
    const needed = Math.min(CHUNK_ROWS_MAX, last.rowCount + count)
    if (needed <= last.capacity && last.layout === this.layout) return last
    return this.replaceLast(last, needed <= last.capacity ? last.capacity : capacityFor(needed))
  }

  private replaceLast(last: Chunk, capacity: number): Chunk {
    const chunk = new Chunk(this.arena, this.layout, capacity, last.firstRowNumber)
    last.copyTo(chunk)
    this.open = chunk
    last.retire()
    return chunk
  }
}

const widthMost = (type: LayoutType): number =>
  type === 'string' ? CODE_BYTES_MAX : type === 'bool' ? 1 : NUMBER_BYTES

type LayoutType = ChunkLayout['columns'][number]['type']

const wholeRows = (rows: number): number => Math.ceil(rows / CHUNK_ROWS_MIN) * CHUNK_ROWS_MIN

/** The smallest power of two of rows, 4 at least, that holds so many; a whole chunk at most. */
function capacityFor(rows: number): number {
  let capacity = CHUNK_ROWS_MIN
  while (capacity < rows && capacity < CHUNK_ROWS_MAX) capacity *= 2
  return capacity
}

/** Makes room in the pools for all texts of a block. Errors: TN_MEMORY_FULL; then codes and their texts are as they were. */
export function reserveTexts(staged: StagedRows, { columns }: TableDefinition, pools: TextPools): void {
  for (const [index, { name }] of columns.entries()) {
    const texts = staged.columns[index + COLUMNS_BEFORE]?.texts
    if (texts !== undefined) pools.of(name).reserve(texts)
  }
}
