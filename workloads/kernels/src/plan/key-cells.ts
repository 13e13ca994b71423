import type { Column } from '@truenow/contracts/wire/column.ts'
import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import { PoolTexts } from '../columns/pool-texts.ts'
import type { TextPool } from '../columns/text-pool.ts'
import { ALL_ROWS, type Selection } from '../filters/select-rows.ts'
import { type Kernels, SUM_KEY_OF_TIME } from '../simd/kernels.ts'
import { KeyCodes } from './group-keys.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'
import type { PlainKey } from './sum-keys.ts'

/** Fewer texts stay in the caches in any order. */
const ORDER_MIN = 65_536

/** Event times that selected rows can have, µs. */
export type TimeBounds = Readonly<{ minUs: number; maxUs: number }>

/** One group key of a plan: how the rows of a chunk come to their codes, from 0. */
export interface CellKey {
  /** Codes that may occur by now are below this. */
  readonly size: number
  /** Different codes that rows of any source can have by now, at most. */
  readonly codesMost: number
  /** Learns the values that the selected rows of a source may have; `write` needs nothing beyond them. */
  learn(source: ResidentSource, selection: Selection, rows: () => Uint32Array): void
  /**
   * The codes of the source that was learnt, u32 a row at `out`: as they are (factor 0), or added to `factor` times what
   * is there. Rows that are not selected get any number.
   */
  write(source: ResidentSource, factor: number, out: number): void
  /** The same, where a kernel can number the rows of the source by itself; else undefined. */
  plainOf?(source: ResidentSource): PlainKey | undefined
  /** The same codes, each once, in an order that suits who merges groups by this key alone. */
  inMergeOrder?(codes: Uint32Array): Uint32Array
  columnOf(codes: Uint32Array): Column
}

/** A string column: its codes are those of the table's pool as they stand, and where there are nulls, one above all of them. */
export class TextKey implements CellKey {
  readonly size: number
  private readonly nullCode: number
  private readonly name: string
  private readonly pool: TextPool
  private readonly kernels: Kernels
  private readonly scratch: Scratch

  constructor(
    name: string,
    pool: TextPool,
    sources: readonly ResidentSource[],
    kernels: Kernels,
    scratch: Scratch,
  ) {
    this.name = name
    this.pool = pool
    this.kernels = kernels
    this.scratch = scratch
    // What comes into the pool later is in no cut of this query.
    const isNullable = sources.some((source) => hasNulls(source, name))
    this.nullCode = isNullable ? pool.size : -1
    this.size = isNullable ? pool.size + 1 : pool.size
  }

  get codesMost(): number {
    return this.size
  }

  learn(): void {}

  write(source: ResidentSource, factor: number, out: number): void {
    const { chunk } = source.resident
    const index = chunk.layout.indexOf(this.name)
    const { rowCount } = source
    const { nullCode } = this
    if (index === undefined) {
      const target = this.scratch.wordsAt(out, rowCount)
      for (let row = 0; row < rowCount; row++) target[row] = target[row]! * factor + nullCode
      return
    }
    const { width } = chunk.layout.columns[index]!
    const codes = this.codesAt(source, index)
    const validity = chunk.validityAt(index)
    const { kernels } = this
    if (factor === 0) {
      const init = { 1: kernels.groupInit8, 2: kernels.groupInit16, 4: kernels.groupInit32 }[
        width as 1 | 2 | 4
      ]
      init(codes, validity, rowCount, nullCode, out)
      return
    }
    const extend = { 1: kernels.groupExtend8, 2: kernels.groupExtend16, 4: kernels.groupExtend32 }[
      width as 1 | 2 | 4
    ]
    extend(codes, validity, rowCount, nullCode, factor, out)
  }

  plainOf(source: ResidentSource): PlainKey | undefined {
    const { layout } = source.resident.chunk
    const index = layout.indexOf(this.name)
    const column = index === undefined ? undefined : layout.columns[index]
    if (column === undefined || column.hasValidity) return undefined
    return {
      kind: column.width,
      at: this.codesAt(source, index!),
      shift: 0,
      bucketUs: 0,
      first: 0,
      end: this.size,
    }
  }

  /** Where texts are many, what is told of them in the order of their hashes is merged without jumps (text-codes.ts). */
  inMergeOrder(codes: Uint32Array): Uint32Array {
    if (codes.length < ORDER_MIN) return codes
    const texts = codes.filter((code) => code !== this.nullCode)
    const ordered = new Uint32Array(codes.length).fill(this.nullCode)
    ordered.set(this.pool.inTableOrder(texts))
    return ordered
  }

  columnOf(codes: Uint32Array): Column {
    const { nullCode } = this
    const own = new Int32Array(this.size).fill(-1)
    const used = new Uint32Array(Math.min(codes.length, this.size))
    const column = new Uint32Array(codes.length)
    const validity = new Uint8Array(Math.ceil(codes.length / 8)).fill(255)
    let [texts, nulls] = [0, 0]
    for (let row = 0; row < codes.length; row++) {
      const code = codes[row]!
      if (code === nullCode) {
        validity[row >>> 3]! &= ~(1 << (row & 7))
        nulls += 1
        continue
      }
      if (own[code]! < 0) {
        own[code] = texts
        used[texts++] = code
      }
      column[row] = own[code]!
    }
    // A code is of some text, even where it stands for null.
    const dictionary = texts === 0 && nulls > 0 ? [''] : new PoolTexts(this.pool, used.subarray(0, texts))
    return { type: 'string', codes: column, dictionary, ...(nulls === 0 ? {} : { validity }) }
  }

  private codesAt({ resident: { chunk } }: ResidentSource, index: number): number {
    return chunk.valuesAt(index)
  }
}

function hasNulls({ resident: { chunk } }: ResidentSource, name: string): boolean {
  const index = chunk.layout.indexOf(name)
  return index === undefined || chunk.layout.columns[index]!.hasValidity
}

/** Any other column: value by value, of the selected rows only. */
export class ScalarKey implements CellKey {
  private readonly name: string
  private readonly codes: KeyCodes
  private readonly scratch: Scratch
  private loose: Loose = NOTHING

  constructor(name: string, type: KeyCodes['type'], scratch: Scratch) {
    this.name = name
    this.codes = new KeyCodes(type)
    this.scratch = scratch
  }

  get size(): number {
    return this.codes.size
  }

  get codesMost(): number {
    return this.codes.size
  }

  learn(source: ResidentSource, { count }: Selection, rows: () => Uint32Array): void {
    this.loose = { rows: rows(), codes: this.codes.ofColumn(source.column(this.name), rows(), count) }
  }

  write(source: ResidentSource, factor: number, out: number): void {
    scatter(this.loose, factor, this.scratch.wordsAt(out, source.rowCount))
  }

  columnOf(codes: Uint32Array): Column {
    return this.codes.columnOf(codes)
  }
}

/** Event time floored to a multiple of `bucketUs`; codes count buckets from the first one that rows can be in. */
class TimeKey implements CellKey {
  readonly size: number
  private readonly bucketUs: number
  private readonly firstBucket: number
  private readonly bounds: TimeBounds
  private readonly kernels: Kernels
  private readonly scratch: Scratch

  constructor(bucketUs: number, bounds: TimeBounds, kernels: Kernels, scratch: Scratch) {
    const { minUs, maxUs } = bounds
    this.bounds = bounds
    this.bucketUs = bucketUs
    this.firstBucket = Math.floor(minUs / bucketUs)
    this.size = Math.floor(maxUs / bucketUs) - this.firstBucket + 1
    this.kernels = kernels
    this.scratch = scratch
  }

  get codesMost(): number {
    return this.size
  }

  learn(): void {}

  write(source: ResidentSource, factor: number, out: number): void {
    const { rowCount } = source
    const plain = this.plainOf(source)
    if (plain === undefined) this.writePlainly(source, factor, out)
    else if (factor === 0) this.kernels.groupTimesInit(plain.at, rowCount, plain.shift, this.bucketUs, out)
    else this.kernels.groupTimesExtend(plain.at, rowCount, plain.shift, this.bucketUs, factor, out)
  }

  plainOf({ resident: { chunk, startUs }, timeUsMin, timeUsMax }: ResidentSource): PlainKey | undefined {
    const { bucketUs, bounds, firstBucket } = this
    const shift = startUs - firstBucket * bucketUs
    // A chunk that begins before the range would count below zero; the kernel has its limits, and wide offsets are doubles.
    const far = bucketUs < 2 ** 32 ? 2 ** 48 : bucketUs
    if (chunk.layout.timeWidth === 8 || shift < 0 || shift >= far) return undefined
    const codeOf = (us: number) => Math.floor(us / bucketUs) - firstBucket
    return {
      kind: SUM_KEY_OF_TIME,
      at: chunk.timesAt,
      shift,
      bucketUs,
      first: codeOf(Math.max(timeUsMin, bounds.minUs)),
      end: codeOf(Math.min(timeUsMax, bounds.maxUs)) + 1,
    }
  }

  columnOf(codes: Uint32Array): Column {
    const values = new Float64Array(codes.length)
    for (let at = 0; at < codes.length; at++) values[at] = (this.firstBucket + codes[at]!) * this.bucketUs
    return { type: 'timestamp', values }
  }

  private writePlainly(source: ResidentSource, factor: number, out: number): void {
    const target = this.scratch.wordsAt(out, source.rowCount)
    const { times } = source
    for (let row = 0; row < source.rowCount; row++) {
      const code = Math.max(0, Math.floor(times[row]! / this.bucketUs) - this.firstBucket)
      target[row] = factor === 0 ? code : target[row]! * factor + code
    }
  }
}

/** Buckets beyond this are not counted from the first one, but numbered as they appear. */
const BUCKETS_MAX = 1 << 22

/** The key of a time bucket. */
export function timeKey(bucketUs: number, bounds: TimeBounds, kernels: Kernels, scratch: Scratch): CellKey {
  const key = new TimeKey(bucketUs, bounds, kernels, scratch)
  return key.size <= BUCKETS_MAX ? key : new SparseTimeKey(bucketUs, scratch)
}

/** The same for buckets that are many and mostly empty. */
class SparseTimeKey implements CellKey {
  private readonly bucketUs: number
  private readonly scratch: Scratch
  private readonly codes = new KeyCodes('timestamp')
  private loose: Loose = NOTHING

  constructor(bucketUs: number, scratch: Scratch) {
    this.bucketUs = bucketUs
    this.scratch = scratch
  }

  get size(): number {
    return this.codes.size
  }

  get codesMost(): number {
    return this.codes.size
  }

  learn({ times }: ResidentSource, { count }: Selection, rows: () => Uint32Array): void {
    this.loose = { rows: rows(), codes: this.codes.ofTimes(times, rows(), count, this.bucketUs) }
  }

  write(source: ResidentSource, factor: number, out: number): void {
    scatter(this.loose, factor, this.scratch.wordsAt(out, source.rowCount))
  }

  columnOf(codes: Uint32Array): Column {
    return this.codes.columnOf(codes)
  }
}

type Loose = Readonly<{ rows: Uint32Array; codes: Uint32Array }>

const NOTHING: Loose = { rows: new Uint32Array(0), codes: new Uint32Array(0) }

/** Codes of some rows, to where all rows have a place. */
function scatter({ rows, codes }: Loose, factor: number, target: Uint32Array): void {
  if (factor === 0) for (let index = 0; index < codes.length; index++) target[rows[index]!] = codes[index]!
  else {
    for (let index = 0; index < codes.length; index++) {
      const row = rows[index]!
      target[row] = target[row]! * factor + codes[index]!
    }
  }
}

const EVERY_ROW = Uint32Array.from({ length: CHUNK_ROWS_MAX }, (_, row) => row)

/** Numbers of the selected rows, ascending; not to be written to. */
export function selectedRows(
  { pointer, count }: Selection,
  rowCount: number,
  kernels: Kernels,
  scratch: Scratch,
): Uint32Array {
  if (pointer === ALL_ROWS) return EVERY_ROW.subarray(0, rowCount)
  const out = scratch.keep('rows', CHUNK_ROWS_MAX * 4)
  kernels.bitmapRows(pointer, rowCount, out)
  return scratch.wordsAt(out, count).slice()
}
