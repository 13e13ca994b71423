import type { Column } from '@truenow/contracts/wire/column.ts'
import { Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import type { Arena } from '../columns/arena.ts'
import type { StagedTexts, TextPool } from '../columns/text-pool.ts'

/** A column of the block in the arena, row by row; `validity` 0 = no row is null. */
export type StagedColumn = Readonly<{
  type: Column['type']
  values: number
  validity: number
  texts: StagedTexts | undefined
}>

const VECTOR_BYTES = 16
/** Kernels read a vector beyond the end of what they read. */
const SLACK_BYTES = 16
const padded = (bytes: number): number => Math.ceil(bytes / VECTOR_BYTES) * VECTOR_BYTES
const WIDTHS: Readonly<Partial<Record<Column['type'], number>>> = {
  string: 4,
  int64: 8,
  float64: 8,
  timestamp: 8,
  bool: 1,
  id128: 16,
}

/**
 * A block's columns and room to work on its rows, in the arena for as long as the block is folded in: kernels read nothing
 * else.
 * Cost: a copy of the columns; one allocation. Errors: TN_MEMORY_FULL; then nothing was taken.
 */
export class StagedRows {
  readonly arena: Arena
  readonly rowCount: number
  readonly columns: readonly StagedColumn[]
  /** Of the rows that were named: their numbers in the block, and their digests, u32 each. */
  readonly rows: number
  readonly mixed: number
  /** A few words for what kernels answer. */
  readonly answer: number
  private readonly pointer: number
  private readonly bytes: number
  private readonly found = new Set<TextPool>()

  constructor(arena: Arena, columns: readonly Column[], rowCount: number) {
    const dictionaries = columns.map((column) =>
      column.type === 'string' ? Utf8Dictionary.of(column.dictionary) : undefined,
    )
    const words = padded(rowCount * 4)
    const own = 2 * words + VECTOR_BYTES
    this.arena = arena
    this.rowCount = rowCount
    this.bytes = columns.reduce(
      (sum, column, index) => sum + stagedBytes(column, dictionaries[index], rowCount),
      own + SLACK_BYTES,
    )
    this.pointer = arena.allocate(this.bytes, arena.stagedAt)
    const writer = new Writer(arena, this.pointer)
    this.rows = writer.skip(words)
    this.mixed = writer.skip(words)
    this.answer = writer.skip(VECTOR_BYTES)
    this.columns = columns.map((column, index) => stage(column, dictionaries[index], rowCount, writer))
  }

  free(): void {
    this.arena.stagedAt = this.arena.free(this.pointer, this.bytes)
  }

  /** Names the rows that the next kernels are about. */
  name(rows: Uint32Array): void {
    this.arena.write(rows, rows.byteLength, this.rows)
  }

  words(pointer: number, length: number): Uint32Array {
    return new Uint32Array(this.arena.buffer, pointer, length)
  }
  /** `answer` as two doubles. */
  doubles(): Float64Array {
    return new Float64Array(this.arena.buffer, this.answer, 2)
  }

  /** Finds a column's texts in its pool, once; the first rows of them go to a bucket that ends at `endUs`. */
  find(pool: TextPool, texts: StagedTexts, endUs: number): void {
    if (this.found.has(pool)) return
    pool.find(texts, endUs)
    this.found.add(pool)
  }
}

/** Puts one thing behind another, each at a whole vector. */
class Writer {
  private readonly arena: Arena
  private at: number

  constructor(arena: Arena, pointer: number) {
    this.arena = arena
    this.at = pointer
  }

  skip(bytes: number): number {
    const { at } = this
    this.at += padded(bytes)
    return at
  }

  /** The first `count`, as u32 each. */
  addWords(values: Uint8Array | Uint16Array | Uint32Array, count: number): number {
    if (values.BYTES_PER_ELEMENT === 4) return this.add(values, count * 4)
    const at = this.skip(count * 4)
    new Uint32Array(this.arena.buffer, at, count).set(
      values.length > count ? values.subarray(0, count) : values,
    )
    return at
  }

  add(values: ArrayBufferView, bytes: number): number {
    const at = this.skip(bytes)
    this.arena.write(values, bytes, at)
    return at
  }
}

function widthOf({ type }: Column): number {
  const width = WIDTHS[type]
  if (width === undefined) throw new TypeError(`${type} is a type of partial results, not of columns`)
  return width
}

function stagedBytes(column: Column, dictionary: Utf8Dictionary | undefined, rowCount: number): number {
  let bytes = padded(rowCount * widthOf(column))
  if (column.validity !== undefined) bytes += padded(rowCount / 8)
  if (dictionary !== undefined) {
    const { bytes: texts, length } = dictionary
    bytes += padded(texts.length) + 3 * padded(length * 4) + padded(rowCount * 4)
  }
  return bytes
}

function stage(
  column: Column,
  dictionary: Utf8Dictionary | undefined,
  rowCount: number,
  writer: Writer,
): StagedColumn {
  const values =
    column.type === 'string'
      ? writer.addWords(column.codes, rowCount)
      : writer.add((column as Extract<Column, { type: 'id128' }>).values, rowCount * widthOf(column))
  const validity = column.validity === undefined ? 0 : writer.add(column.validity, Math.ceil(rowCount / 8))
  return {
    type: column.type,
    values,
    validity,
    texts: dictionary && stageTexts(dictionary, rowCount, writer),
  }
}

function stageTexts({ bytes, ends, length }: Utf8Dictionary, rowCount: number, writer: Writer): StagedTexts {
  return {
    bytes: writer.add(bytes, bytes.length),
    ends: writer.add(ends, length * 4),
    hashes: writer.skip(length * 4),
    found: writer.skip(length * 4),
    codes: writer.skip(rowCount * 4),
    entries: length,
  }
}
