import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  ID_COLUMN_INDEX,
  type TableDefinition,
  TIME_COLUMN_INDEX,
} from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { type Arena, UNIT_BYTES } from '../columns/arena.ts'
import { CHUNK_ROWS_MAX, CHUNK_ROWS_MIN, Chunk, type RowRange } from '../columns/chunk.ts'
import { type ChunkLayout, NARROW_TIMES, WIDE_TIMES, type Width } from '../columns/chunk-layout.ts'
import type { TextPools } from '../columns/text-pool.ts'
import type { BucketRollup } from '../rollups/bucket-rollup.ts'
import { ChunkSource } from './chunk-source.ts'
import { digestRows, emptyDigest, type RowDigest } from './row-digest.ts'

const TWO_TO_32 = 2 ** 32
const NUMBER_BYTES = 8
const CODE_BYTES_MAX = 4
/** Id, time and row number. */
const ROW_BYTES_BESIDE_COLUMNS = 16 + 8 + 4
const BITMAP_BYTES_A_ROW = 1 / 8
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
  /** Order-dependent digest of all its rows: equal rows in equal order give equal words. */
  readonly digest = emptyDigest()
  /** Rows that the digest covers beyond those held: memory pressure took them. */
  evictedRows = 0
  /** Of the rows in its first `foldedChunks` chunks; rows that came later are beside it. */
  rollup: BucketRollup | undefined
  private foldedChunks = 0
  /** Chunks that nothing is appended to any more: they are folded, or are being so. */
  private closedChunks = 0
  private readonly arena: Arena
  private readonly chunks: Chunk[] = []
  private readonly texts: TextPools
  private layout: ChunkLayout

  constructor(startUs: number, endUs: number, arena: Arena, texts: TextPools) {
    this.startUs = startUs
    this.endUs = endUs
    this.arena = arena
    this.texts = texts
    this.layout = endUs - startUs <= TWO_TO_32 ? NARROW_TIMES : WIDE_TIMES
  }

  /** Bytes that appending `rowCount` rows may ask the arena for, at most: the open chunk laid out anew, and those after it. */
  bytesFor(rowCount: number, definition: TableDefinition): number {
    const held = this.chunks.length > this.closedChunks ? (this.chunks.at(-1)?.rowCount ?? 0) : 0
    const names = new Map(this.layout.columns.map(({ name, type }) => [name, type]))
    for (const { name, type } of definition.columns) names.set(name, type)
    let rowBytes = ROW_BYTES_BESIDE_COLUMNS
    for (const type of names.values()) rowBytes += widthMost(type) + BITMAP_BYTES_A_ROW
    let capacity = 0
    for (let rows = held + rowCount; rows > 0; rows -= CHUNK_ROWS_MAX) capacity += capacityFor(rows)
    const chunks = Math.ceil((held + rowCount) / CHUNK_ROWS_MAX)
    const rounding = (3 + 2 * names.size) * VECTOR_BYTES + UNIT_BYTES
    return Math.ceil(capacity * rowBytes) + chunks * rounding
  }

  /** Appends rows `rows` of a block that follows `definition`, with their numbers in the slot's log order. */
  append(
    block: Pick<Block, 'columns'>,
    definition: TableDefinition,
    rows: Uint32Array,
    rowCount: number,
    rowNumbers: Float64Array,
  ): void {
    this.insert(block, definition, rows, rowCount, rowNumbers)
    digestRows(this.digest, block.columns, rows, rowCount)
  }

  /** Puts back all rows of an empty bucket, in log order, with the digest that they had. */
  restore(
    block: Pick<Block, 'columns'>,
    definition: TableDefinition,
    rowNumbers: Float64Array,
    digest: Readonly<RowDigest>,
  ): void {
    const rows = Uint32Array.from({ length: rowNumbers.length }, (_, row) => row)
    this.insert(block, definition, rows, rows.length, rowNumbers)
    Object.assign(this.digest, digest)
  }

  private insert(
    block: Pick<Block, 'columns'>,
    definition: TableDefinition,
    rows: Uint32Array,
    rowCount: number,
    rowNumbers: Float64Array,
  ): void {
    if (rowCount === 0) return
    const own = definition.columns.map(({ name, type }, index) => ({
      name,
      type,
      source: block.columns[index + 2] as Column,
    }))
    const codes = own.map(({ name, source }) =>
      source.type === 'string'
        ? this.texts.of(name).translate(source.dictionary, source.codes, rows, rowCount, this.endUs)
        : undefined,
    )
    for (const { name, type, source } of own) this.fit(name, type, hasNulls(source, rows, rowCount))
    const present = new Set(own.map(({ name }) => name))
    // Blocks of an older version may still follow those of a newer one.
    for (const { name, type } of this.layout.columns) if (!present.has(name)) this.fit(name, type, true)
    const whole = rows[rowCount - 1]! - rows[0]! === rowCount - 1
    for (let from = 0; from < rowCount; ) {
      const chunk = this.room(rowCount - from, rowNumbers[from]!)
      const count = this.fitting(chunk, rowNumbers, from, rowCount)
      this.write(chunk, block.columns, { rows, from, count, whole }, rowNumbers)
      for (const [index, { name }] of chunk.layout.columns.entries()) {
        const at = own.findIndex((column) => column.name === name)
        if (at < 0) chunk.writeNulls(index, count)
        else chunk.write(index, own[at]!.source, { rows, from, count, whole }, codes[at])
      }
      chunk.rowCount += count
      from += count
    }
    this.rowCount += rowCount
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
    const last = this.chunks.at(-1)
    if (last === undefined) return
    const capacity = Math.max(CHUNK_ROWS_MIN, Math.ceil(last.rowCount / CHUNK_ROWS_MIN) * CHUNK_ROWS_MIN)
    if (capacity >= last.capacity) return
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
    this.chunks.length = 0
    this.fold(undefined)
  }

  /** Columns that its chunks have by now, besides id and time. */
  get columnTypes(): ReadonlyArray<Readonly<{ name: string; type: LayoutType }>> {
    return this.layout.columns
  }

  get residentBytes(): number {
    let bytes = this.rollup?.residentBytes ?? 0
    for (const chunk of this.chunks) bytes += chunk.residentBytes
    return bytes
  }

  /** Makes the layout of chunks to come hold a column with what it has by now. */
  private fit(name: string, type: LayoutType, nulls: boolean): void {
    const index = this.layout.indexOf(name)
    const known = index === undefined ? undefined : this.layout.columns[index]
    const width = type === 'string' ? this.texts.of(name).width : type === 'bool' ? 1 : NUMBER_BYTES
    // Rows of the open chunk that are older than the column are null in it.
    const added = known === undefined && (this.chunks.at(-1)?.rowCount ?? 0) > 0
    const hasValidity = nulls || added || known?.hasValidity === true
    if (known?.width === width && known.hasValidity === hasValidity) return
    this.layout = this.layout.with({ name, type, width: width as Width, hasValidity })
  }

  /** The open chunk, in the layout of now, with room for `count` more rows or as many as a chunk can have. */
  private room(count: number, rowNumber: number): Chunk {
    const last = this.chunks.at(-1)
    const full = last === undefined || last.rowCount === CHUNK_ROWS_MAX
    const closed = this.chunks.length <= this.closedChunks
    if (full || closed || rowNumber - last.firstRowNumber >= TWO_TO_32) {
      const chunk = new Chunk(this.arena, this.layout, capacityFor(count), rowNumber)
      this.chunks.push(chunk)
      return chunk
    }
    const needed = Math.min(CHUNK_ROWS_MAX, last.rowCount + count)
    if (needed <= last.capacity && last.layout === this.layout) return last
    return this.replaceLast(last, needed <= last.capacity ? last.capacity : capacityFor(needed))
  }

  /** How many of the rows from `from` on fit into the chunk. */
  private fitting(chunk: Chunk, rowNumbers: Float64Array, from: number, rowCount: number): number {
    let count = Math.min(rowCount - from, chunk.capacity - chunk.rowCount)
    while (rowNumbers[from + count - 1]! - chunk.firstRowNumber >= TWO_TO_32) count -= 1
    return count
  }

  private replaceLast(last: Chunk, capacity: number): Chunk {
    const chunk = new Chunk(this.arena, this.layout, capacity, last.firstRowNumber)
    last.copyTo(chunk)
    this.chunks[this.chunks.length - 1] = chunk
    last.retire()
    return chunk
  }

  /** Ids, times and row numbers. */
  private write(chunk: Chunk, columns: readonly Column[], range: RowRange, rowNumbers: Float64Array): void {
    const [ids, times] = [columns[ID_COLUMN_INDEX], columns[TIME_COLUMN_INDEX]]
    if (ids?.type !== 'id128' || times?.type !== 'timestamp')
      throw new TypeError('a block without id and time')
    const { rows, from, count, whole } = range
    const [ownIds, ownTimes, ownNumbers] = [chunk.ids(), chunk.times(), chunk.rowNumbers()]
    const baseUs = chunk.layout.timeWidth === 4 ? this.startUs : 0
    if (whole) {
      const first = rows[from]! * 16
      ownIds.set(ids.values.subarray(first, first + count * 16), chunk.rowCount * 16)
    } else {
      for (let index = 0; index < count; index++) {
        const row = rows[from + index]! * 16
        ownIds.set(ids.values.subarray(row, row + 16), (chunk.rowCount + index) * 16)
      }
    }
    let { timeUsMin, timeUsMax } = chunk
    for (let index = 0; index < count; index++) {
      const timeUs = times.values[rows[from + index]!]!
      if (timeUs < timeUsMin) timeUsMin = timeUs
      if (timeUs > timeUsMax) timeUsMax = timeUs
      ownTimes[chunk.rowCount + index] = timeUs - baseUs
      ownNumbers[chunk.rowCount + index] = rowNumbers[from + index]! - chunk.firstRowNumber
    }
    chunk.timeUsMin = timeUsMin
    chunk.timeUsMax = timeUsMax
  }
}

const widthMost = (type: LayoutType): number =>
  type === 'string' ? CODE_BYTES_MAX : type === 'bool' ? 1 : NUMBER_BYTES

type LayoutType = ChunkLayout['columns'][number]['type']

/** The smallest power of two of rows, 4 at least, that holds so many; a whole chunk at most. */
function capacityFor(rows: number): number {
  let capacity = CHUNK_ROWS_MIN
  while (capacity < rows && capacity < CHUNK_ROWS_MAX) capacity *= 2
  return capacity
}

function hasNulls(column: Column, rows: Uint32Array, rowCount: number): boolean {
  if (column.validity === undefined) return false
  for (let index = 0; index < rowCount; index++) if (!isValid(column, rows[index]!)) return true
  return false
}
