import type { Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { utf8Hash } from '../hashing/utf8-hash.ts'
import { POOL_BYTES, TEXT_BYTES_BESIDE, TEXT_HEADER_BYTES } from '../simd/ingest-kernels.ts'
import type { Kernels } from '../simd/kernels.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { type MemoryViews, memoryViews } from '../simd/memory-views.ts'
import type { Arena } from './arena.ts'
import type { Width } from './chunk-layout.ts'
import { DecodedTexts } from './decoded-texts.ts'

/** Of the table, and of the records by code. */
const PLACES_MIN = 64
/** Taken places of the table, at most. */
const LOAD_MAX = 0.6
/** Records lie in segments of the arena, each at least an eighth of what is held by then. */
const SEGMENT_BYTES_MIN = 1_024
const SEGMENT_BYTES_MAX = 1 << 20
/** A pool that is smaller is not worth a sweep. */
const SWEEP_MIN = 4_096
const SECOND_US = 1_000_000
const UINT32_MAX = 2 ** 32 - 1
const TAG_MASK = 7
/** Words of the struct that kernels keep up. */
const [GIVEN, NEXT, RECORDS, HELD] = [0, 2, 3, 4]

/** Somebody whose rows use codes of a pool. */
export type TextHolder = Readonly<{
  /** No row that it holds, or that a reader of it still sees, lies in a bucket that ends before. */
  oldestEndUs: () => number
}>

/** The texts of a block's column in the arena: bytes, where each ends, room for hash and record of each, and for codes of rows. */
export type StagedTexts = Readonly<{
  bytes: number
  ends: number
  hashes: number
  records: number
  codes: number
  entries: number
  byteCount: number
}>

type Segment = { readonly pointer: number; readonly bytes: number; end: number }

/**
 * The distinct texts of one column of one table on one thread, coded from 0; chunks hold codes. All buckets and slots of
 * the table share it, so a text is held once, and equal texts have equal codes wherever they are compared. A text is
 * forgotten, and its code used again, when the last bucket that has it is gone everywhere: ids that churn leave with
 * their rows. The empty text stands for null too, under a bit of validity.
 *
 *   table: places by hash → record        records by code → record        segments: records, one behind the other
 *
 * Texts stay UTF-8 in the arena; kernels find and add them (simd/intern-texts.ts), strings are made when asked for.
 * Cost: O(1) expected a text; forgetting is O(texts) each time they have doubled.
 * Memory: a record of 12 bytes and its text, 4 to 8 for its code, about 9 in the table.
 */
export class TextPool implements Dictionary {
  private readonly arena: Arena
  private readonly kernels: Kernels
  private readonly views: () => MemoryViews
  private readonly holders: ReadonlySet<TextHolder>
  private readonly decoded: DecodedTexts
  private segments: Segment[] = []
  /** Where new records go. */
  private open: Segment | undefined
  private pool = 0
  private table = 0
  private places = 0
  private codes = 0
  private sweepAt = SWEEP_MIN
  /** No text's latest bucket ends before, in seconds: what need not be swept for. */
  private leastEnd = UINT32_MAX
  private entries = new Uint32Array(0)
  /** Bytes taken of the arena, and of the entries. */
  residentBytes = 0

  constructor(arena: Arena, holders: ReadonlySet<TextHolder>) {
    this.arena = arena
    this.kernels = kernelsOf(arena)
    this.views = memoryViews(arena.memory)
    this.holders = holders
    this.decoded = new DecodedTexts(arena)
  }

  /** Codes are below this. */
  get size(): number {
    return this.pool === 0 ? 0 : this.word(GIVEN)
  }
  get length(): number {
    return this.size
  }

  /** Bytes that a code needs by now. */
  get width(): Width {
    return this.size <= 256 ? 1 : this.size <= 65_536 ? 2 : 4
  }

  /** The text of a code; undefined for one that no row has. Cost: a string is made, unless it was asked for of late. */
  at(code: number): string | undefined {
    const record = this.recordOf(code)
    if (record === 0) return undefined
    const length = this.views().u32[record / 4 + 2]!
    return this.decoded.at(code, record + TEXT_HEADER_BYTES, length)
  }

  codeOf(text: string): number | undefined {
    if (this.pool === 0) return undefined
    const wanted = Buffer.from(text, 'utf8')
    const hash = utf8Hash(wanted, 0, wanted.length)
    const { u8, u32 } = this.views()
    const mask = this.places - 1
    for (let index = hash & mask; ; index = (index + 1) & mask) {
      const place = u32[this.table / 4 + index]!
      if (place === 0) return undefined
      const record = (place & ~TAG_MASK) >>> 0
      if (u32[record / 4 + 2] !== wanted.length) continue
      const from = record + TEXT_HEADER_BYTES
      if (wanted.every((byte, at) => u8[from + at] === byte)) return u32[record / 4]
    }
  }

  /**
   * By code, what APPROX_COUNT_DISTINCT keeps of the text's hash (entry-of-hash.ts); 0: nobody has hashed it yet, and who
   * does writes it here for the queries to come. At least as long as there are codes.
   */
  distinctEntries(): Uint32Array {
    if (this.entries.length < this.size) {
      const larger = new Uint32Array(Math.ceil(this.size * 1.25))
      larger.set(this.entries)
      this.residentBytes += larger.byteLength - this.entries.byteLength
      this.entries = larger
    }
    return this.entries
  }

  /**
   * Makes room for texts that may all be new; forgets first what may go. Codes and what they mean stay as they are.
   * Errors: TN_MEMORY_FULL; then the pool is as it was, or larger.
   */
  reserve(texts: number, byteCount: number): void {
    if (this.pool === 0) this.create()
    if (this.word(HELD) + texts > this.sweepAt) this.sweep(texts)
    const held = this.word(HELD) + texts
    if (held > this.places * LOAD_MAX) this.index(powerOfTwo(held / LOAD_MAX))
    const codes = this.word(GIVEN) + texts
    if (codes > this.codes) this.moveRecords(powerOfTwo(codes))
    const bytes = byteCount + texts * TEXT_BYTES_BESIDE
    if (this.open === undefined || this.open.pointer + this.open.bytes - this.word(NEXT) < bytes)
      this.openSegment(bytes)
  }

  /** Hashes a block's texts and finds those that are held, after `reserve` and before `translate`. */
  find({ bytes, ends, entries, hashes, records }: StagedTexts): void {
    const { kernels } = this
    kernels.hashTexts(bytes, ends, entries, hashes)
    kernels.findTexts(bytes, ends, hashes, entries, this.table, this.places - 1, records)
  }

  /** Writes the codes of rows in a bucket that ends at `endUs`, u32 each; `entries` are those of all rows in the dictionary. */
  translate(texts: StagedTexts, entries: number, rows: number, rowCount: number, endUs: number): void {
    const { bytes, ends, hashes, records, codes } = texts
    const end = secondsOf(endUs)
    this.leastEnd = Math.min(this.leastEnd, end)
    const { kernels, table, places, pool } = this
    kernels.translateTexts(
      bytes,
      ends,
      hashes,
      records,
      entries,
      rows,
      rowCount,
      end,
      table,
      places - 1,
      pool,
      codes,
    )
    this.open!.end = this.word(NEXT)
  }

  /** Gives everything back: nobody uses it any more. */
  free(): void {
    for (const { pointer, bytes } of this.segments) this.give(pointer, bytes)
    if (this.pool !== 0) {
      this.give(this.word(RECORDS), this.codes * 4)
      this.give(this.table, this.places * 4)
      this.give(this.pool, POOL_BYTES)
    }
    this.segments = []
    this.open = undefined
    this.pool = 0
    this.places = 0
    this.codes = 0
    this.sweepAt = SWEEP_MIN
    this.leastEnd = UINT32_MAX
    this.decoded.clear()
    this.residentBytes -= this.entries.byteLength
    this.entries = new Uint32Array(0)
  }

  private word(index: number): number {
    return this.views().u32[this.pool / 4 + index]!
  }

  /** Address of a code's record; 0 when it has none. */
  private recordOf(code: number): number {
    if (code < 0 || code >= this.size) return 0
    const record = this.views().u32[this.word(RECORDS) / 4 + code]!
    return (record & 1) === 0 ? record : 0
  }

  private create(): void {
    const pool = this.take(POOL_BYTES)
    this.views().u32.fill(0, pool / 4, (pool + POOL_BYTES) / 4)
    this.pool = pool
  }

  /** Forgets what may go; not again before so many more, beside `texts` at hand, have come as are left. */
  private sweep(texts: number): void {
    let oldestEndUs = Number.POSITIVE_INFINITY
    for (const holder of this.holders) oldestEndUs = Math.min(oldestEndUs, holder.oldestEndUs())
    const oldest = secondsOf(oldestEndUs)
    if (oldest > this.leastEnd) this.forgetBelow(oldest)
    this.sweepAt = Math.max(SWEEP_MIN, this.word(HELD) * 2) + texts
  }

  /** Texts of which the latest bucket ends before so many seconds. */
  private forgetBelow(oldest: number): void {
    this.leastEnd = oldest
    const held = this.word(HELD)
    for (const segment of this.segments)
      segment.end = this.kernels.sweepTexts(segment.pointer, segment.end, oldest, this.pool)
    if (this.word(HELD) === held) return // Nothing moved.
    for (const { pointer, bytes } of this.segments.filter(isEmpty)) this.give(pointer, bytes)
    this.segments = this.segments.filter((segment) => !isEmpty(segment))
    this.open = undefined
    this.enterAll()
    this.decoded.clear()
    this.entries.fill(0) // Codes that are free will mean other texts.
  }

  /** A table of so many places. */
  private index(places: number): void {
    const table = this.take(places * 4)
    if (this.places > 0) this.give(this.table, this.places * 4)
    this.table = table
    this.places = places
    this.enterAll()
  }

  private enterAll(): void {
    const { table, places } = this
    this.views().u32.fill(0, table / 4, table / 4 + places)
    for (const { pointer, end } of this.segments) this.kernels.indexTexts(pointer, end, table, places - 1)
  }

  private moveRecords(codes: number): void {
    const records = this.take(codes * 4)
    const before = this.word(RECORDS)
    this.kernels.copyBytes(before, records, this.word(GIVEN) * 4)
    if (this.codes > 0) this.give(before, this.codes * 4)
    this.views().u32[this.pool / 4 + RECORDS] = records
    this.codes = codes
  }

  /** Records go on in a segment with so much room: one that was swept, or a new one. */
  private openSegment(bytes: number): void {
    let segment = this.segments.find((one) => one.pointer + one.bytes - one.end >= bytes)
    if (segment === undefined) {
      const share = Math.min(
        SEGMENT_BYTES_MAX,
        Math.max(SEGMENT_BYTES_MIN, Math.ceil(this.residentBytes / 8)),
      )
      const size = Math.max(bytes, share)
      const pointer = this.take(size)
      segment = { pointer, bytes: size, end: pointer }
      this.segments.push(segment)
    }
    this.open = segment
    this.views().u32[this.pool / 4 + NEXT] = segment.end
  }

  private take(bytes: number): number {
    const before = this.arena.usedBytes
    const pointer = this.arena.allocate(bytes)
    this.residentBytes += this.arena.usedBytes - before
    return pointer
  }
  private give(pointer: number, bytes: number): void {
    const before = this.arena.usedBytes
    this.arena.free(pointer, bytes)
    this.residentBytes -= before - this.arena.usedBytes
  }
}

const isEmpty = ({ pointer, end }: Segment): boolean => pointer === end

/** Rounded up, so that a text is never forgotten too early; times beyond 2106 are all one. */
const secondsOf = (us: number): number => Math.min(UINT32_MAX, Math.max(0, Math.ceil(us / SECOND_US)))

function powerOfTwo(atLeast: number): number {
  let size = PLACES_MIN
  while (size < atLeast) size *= 2
  return size
}

/** The pools of a table on one thread, by column, and who uses them. */
export class TextPools {
  private readonly arena: Arena
  private readonly holders = new Set<TextHolder>()
  private readonly pools = new Map<string, TextPool>()

  /** Texts lie in the arena that the rows are in. */
  constructor(arena: Arena) {
    this.arena = arena
  }

  join(holder: TextHolder): void {
    this.holders.add(holder)
  }
  /** The last one that leaves lets all texts go. */
  leave(holder: TextHolder): void {
    if (!this.holders.delete(holder) || !this.isUnused) return
    for (const pool of this.pools.values()) pool.free()
  }
  get isUnused(): boolean {
    return this.holders.size === 0
  }

  of(column: string): TextPool {
    let pool = this.pools.get(column)
    if (pool === undefined) {
      pool = new TextPool(this.arena, this.holders)
      this.pools.set(column, pool)
    }
    return pool
  }

  get residentBytes(): number {
    let bytes = 0
    for (const pool of this.pools.values()) bytes += pool.residentBytes
    return bytes
  }
}
