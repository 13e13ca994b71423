import assert from 'node:assert/strict'
import { type Dictionary, Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { utf8Hash } from '../hashing/utf8-hash.ts'
import { PLACE_BYTES, PLACES_A_LINE, POOL_BYTES, TEXT_CODES_MAX } from '../simd/ingest-kernels.ts'
import { codeAt, homeOf, isFree, textAt } from '../simd/intern-texts.ts'
import type { Kernels } from '../simd/kernels.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { type MemoryViews, memoryViews } from '../simd/memory-views.ts'
import type { Arena } from './arena.ts'
import type { Width } from './chunk-layout.ts'
import { DecodedTexts } from './decoded-texts.ts'

/** Of the table, and of its places by code; both grow by so much, for what stands empty costs memory. */
const PLACES_MIN = 64
const GROWTH = 1.25
/** Taken places of the table, at most: then most texts lie in the line of the caches where they belong. */
const LOAD_MAX = 0.8
/** Eras that a byte tells apart. */
const ERAS_MAX = 256
/** Records of longer texts lie in segments of the arena, each at least an eighth of what is held by then. */
const SEGMENT_BYTES_MIN = 1_024
const SEGMENT_BYTES_MAX = 1 << 20
/** A pool that is smaller is not worth a sweep. */
const SWEEP_MIN = 4_096
const SECOND_US = 1_000_000
const UINT32_MAX = 2 ** 32 - 1
/** Words of the struct that kernels keep up. */
const [GIVEN, NEXT, PLACES, HELD] = [0, 2, 3, 4]

/** Somebody whose rows use codes of a pool. */
export type TextHolder = Readonly<{
  /** No row that it holds, or that a reader of it still sees, lies in a bucket that ends before. */
  oldestEndUs: () => number
}>

/** The texts of a block's column in the arena: bytes, where each ends, room for hash and code of each, and for codes of rows. */
export type StagedTexts = Readonly<{
  bytes: number
  ends: number
  hashes: number
  found: number
  codes: number
  entries: number
}>

type Segment = { readonly pointer: number; readonly bytes: number; end: number }

/**
 * The distinct texts of one column of one table on one thread, coded from 0; chunks hold codes. All buckets and slots of
 * the table share it, so a text is held once, and equal texts have equal codes wherever they are compared. A text is
 * forgotten, and its code used again, when the last bucket that has it is gone everywhere: ids that churn leave with
 * their rows. The empty text stands for null too, under a bit of validity.
 *
 *   places by code → table: places by hash, short texts in them → segments: records of longer texts, one behind the other
 *
 * Texts stay UTF-8 in the arena; kernels find and add them (simd/intern-texts.ts), strings are made when asked for.
 * When a text was last seen is known by its *era*: a new one begins when a block comes for a bucket that ends later than all
 * before, and an era ends when the latest bucket does that it had texts for.
 * Cost: O(1) expected a text; forgetting is O(texts) each time they have doubled, or 256 eras have begun.
 * Memory: a place of 16 bytes of a table that is at most 0.8 full, and 4 to 5 for its code; a text of more than 11 bytes has
 * a record of 8 bytes and its text besides.
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
  /** By era, ascending: when the latest bucket ends that it had texts for, in seconds. */
  private eraEnds: number[] = []
  private entries = new Uint32Array(0)
  /** Bytes taken of the arena, and of the entries. */
  residentBytes = 0

  constructor(arena: Arena, holders: ReadonlySet<TextHolder>) {
    this.arena = arena
    this.kernels = kernelsOf(arena)
    this.views = memoryViews(arena)
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
    const place = this.placeOf(code)
    if (place === 0) return undefined
    const { from, length } = textAt(this.views(), place)
    return this.decoded.at(code, from, length)
  }

  codeOf(text: string): number | undefined {
    if (this.pool === 0) return undefined
    const wanted = Buffer.from(text, 'utf8')
    const hash = utf8Hash(wanted, 0, wanted.length)
    const memory = this.views()
    for (let at = homeOf(hash >>> 0, this.places); ; at = (at + 1) % this.places) {
      const place = this.table + at * PLACE_BYTES
      if (isFree(memory, place)) return undefined
      const { from, length } = textAt(memory, place)
      if (length === wanted.length && wanted.every((byte, index) => memory.u8[from + index] === byte))
        return codeAt(memory, place)
    }
  }

  /** The texts of the given codes as bytes of their own, empty for one that no row has. Cost: O(bytes), a look at a place a text. */
  textsOf(codes: Uint32Array): Utf8Dictionary {
    const memory = this.views()
    const ends = new Uint32Array(codes.length)
    let end = 0
    for (let index = 0; index < codes.length; index++) {
      const place = this.placeOf(codes[index]!)
      if (place !== 0) end += textAt(memory, place).length
      ends[index] = end
    }
    const bytes = new Uint8Array(end)
    for (let index = 0, to = 0; index < codes.length; index++) {
      if (to === ends[index]) continue
      let { from } = textAt(memory, this.placeOf(codes[index]!))
      while (to < ends[index]!) bytes[to++] = memory.u8[from++]!
    }
    return new Utf8Dictionary(bytes, ends)
  }

  /** The given codes, each once, in the order of their texts' hashes, but for neighbours. Cost: O(places). */
  inTableOrder(codes: Uint32Array): Uint32Array {
    const memory = this.views()
    const isWanted = new Uint8Array(this.size)
    for (const code of codes) isWanted[code] = 1
    const ordered = new Uint32Array(codes.length)
    const end = this.table + this.places * PLACE_BYTES
    for (let place = this.table, count = 0; place < end; place += PLACE_BYTES) {
      if (isFree(memory, place)) continue
      const code = codeAt(memory, place)
      if (isWanted[code] === 1) ordered[count++] = code
    }
    return ordered
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
   * Hashes a block's texts and makes room for them, who may all be new; forgets first what may go. Codes and what they mean
   * stay as they are. Errors: TN_MEMORY_FULL; then the pool is as it was, or larger.
   */
  reserve({ bytes, ends, entries, hashes }: StagedTexts): void {
    const recordBytes = this.kernels.hashTexts(bytes, ends, entries, hashes)
    if (this.pool === 0) this.create()
    if (this.word(HELD) + entries > this.sweepAt) this.sweep(entries)
    const held = this.word(HELD) + entries
    if (held > this.places * LOAD_MAX) this.resizeTable(grown(held / LOAD_MAX))
    const codes = this.word(GIVEN) + entries
    assert(codes <= TEXT_CODES_MAX, 'a pool has codes of 28 bits')
    if (codes > this.codes) this.resizeCodes(grown(codes))
    const { open } = this
    if (recordBytes > 0 && (open === undefined || open.pointer + open.bytes - this.word(NEXT) < recordBytes))
      this.openSegment(recordBytes)
  }

  /** Finds those of a block's texts that are held, after `reserve` and before `translate` into a bucket that ends at `endUs`. */
  find({ bytes, ends, entries, hashes, found }: StagedTexts, endUs: number): void {
    if (secondsOf(endUs) > (this.eraEnds.at(-1) ?? -1)) {
      if (this.eraEnds.length === ERAS_MAX) this.joinEras()
      this.eraEnds.push(secondsOf(endUs))
    }
    const { kernels, table, places, era } = this
    kernels.findTexts(bytes, ends, hashes, entries, table, places, era, found)
  }

  /** Writes the codes of rows in a bucket that ends at `endUs`, u32 each; `entries` are those of all rows in the dictionary. */
  translate(texts: StagedTexts, entries: number, rows: number, rowCount: number, endUs: number): void {
    const { bytes, ends, hashes, found, codes } = texts
    const { kernels, table, places, pool, era, eraEnds } = this
    // A further bucket of the block that was found: its texts are of this era.
    eraEnds[era] = Math.max(eraEnds[era]!, secondsOf(endUs))
    kernels.translateTexts(
      bytes,
      ends,
      hashes,
      found,
      entries,
      rows,
      rowCount,
      era,
      table,
      places,
      pool,
      codes,
    )
    if (this.open !== undefined) this.open.end = this.word(NEXT)
  }

  /** Gives everything back: nobody uses it any more. */
  free(): void {
    for (const { pointer, bytes } of this.segments) this.give(pointer, bytes)
    if (this.pool !== 0) {
      this.give(this.word(PLACES), this.codes * 4)
      this.give(this.table, this.places * PLACE_BYTES)
      this.give(this.pool, POOL_BYTES)
    }
    this.segments = []
    this.open = undefined
    this.pool = 0
    this.places = 0
    this.codes = 0
    this.sweepAt = SWEEP_MIN
    this.eraEnds = []
    this.decoded.clear()
    this.residentBytes -= this.entries.byteLength
    this.entries = new Uint32Array(0)
  }

  private word(index: number): number {
    return this.views().u32[this.pool / 4 + index]!
  }

  private get era(): number {
    return this.eraEnds.length - 1
  }

  /** Address of a code's place; 0 when it has none. */
  private placeOf(code: number): number {
    if (code < 0 || code >= this.size) return 0
    const place = this.views().u32[this.word(PLACES) / 4 + code]!
    return (place & 1) === 0 ? place : 0
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
    const gone = this.eraEnds.findIndex((end) => end >= oldest)
    this.forget(gone < 0 ? this.eraEnds.length : gone)
    this.sweepAt = Math.max(SWEEP_MIN, this.word(HELD) * 2) + texts
  }

  /** The texts of the first `eras` eras. */
  private forget(eras: number): void {
    if (eras === 0) return
    const { kernels, table, places, pool } = this
    this.eraEnds.splice(0, eras)
    const held = this.word(HELD)
    kernels.forgetTexts(table, places, eras, eras, pool)
    if (this.word(HELD) === held) return
    // WebAssembly answers addresses as signed numbers.
    for (const segment of this.segments)
      segment.end = kernels.packTexts(segment.pointer, segment.end, pool) >>> 0
    for (const { pointer, bytes } of this.segments.filter(isEmpty)) this.give(pointer, bytes)
    this.segments = this.segments.filter((segment) => !isEmpty(segment))
    this.open = undefined
    this.decoded.clear()
    this.entries.fill(0) // Codes that are free will mean other texts.
  }

  /** Texts of the older half of all eras are from here on of the last one among them, which ends latest. */
  private joinEras(): void {
    const joined = ERAS_MAX / 2
    this.kernels.forgetTexts(this.table, this.places, 0, joined, this.pool)
    this.eraEnds.splice(0, joined)
  }

  private resizeTable(places: number): void {
    const table = this.take(places * PLACE_BYTES)
    this.kernels.clearBytes(table, places * PLACE_BYTES)
    if (this.places > 0) {
      this.kernels.moveTexts(this.table, this.places, table, places, this.pool)
      this.give(this.table, this.places * PLACE_BYTES)
    }
    this.table = table
    this.places = places
  }

  private resizeCodes(codes: number): void {
    const places = this.take(codes * 4)
    const before = this.word(PLACES)
    this.kernels.copyBytes(before, places, this.word(GIVEN) * 4)
    if (this.codes > 0) this.give(before, this.codes * 4)
    this.views().u32[this.pool / 4 + PLACES] = places
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

/** Room for at least so many, and for some more: whole lines of places. */
const grown = (atLeast: number): number =>
  Math.max(PLACES_MIN, Math.ceil((atLeast * GROWTH) / PLACES_A_LINE) * PLACES_A_LINE)

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
