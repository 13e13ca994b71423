import { fmix32 } from '../hashing/fmix32.ts'
import { textHash } from '../hashing/text-hash.ts'
import type { Width } from './chunk-layout.ts'

/** Estimated bytes of an entry beside its text: a string's header, its places in list and table, its last use. */
const ENTRY_BYTES = 56
const PLACES_MIN = 128
/** Where the last bucket of a text that was forgotten ends. */
const GONE = -1
/** A pool that is smaller is not worth a sweep. */
const SWEEP_MIN = 4_096

/** Somebody whose rows use codes of a pool. */
export type TextHolder = Readonly<{
  /** No row that it holds, or that a reader of it still sees, lies in a bucket that ends before. */
  oldestEndUs: () => number
}>

/**
 * The distinct texts of one column of one table on one thread, coded from 0; chunks hold codes. All buckets and slots of
 * the table share it, so a text is held once, and equal texts have equal codes wherever they are compared. A text is
 * forgotten, and its code used again, when the last bucket that has it is gone everywhere: ids that churn leave with
 * their rows. The empty text stands for null too, under a bit of validity.
 * Cost: O(1) expected a text; forgetting is O(texts) each time they have doubled.
 */
export class TextPool {
  /** By code; a code that is free has any text. */
  readonly texts: string[] = []
  /** Texts at two bytes a character, and the entries around them. */
  residentBytes = 0
  /** Open addressing, at most half full: hash, code + 1; 0 is an empty place. */
  private table = new Int32Array(2 * PLACES_MIN)
  private held = 0
  private readonly free: number[] = []
  /** By code: where the latest bucket that has it ends, µs. */
  private lastEndUs = new Float64Array(64)
  private readonly holders: ReadonlySet<TextHolder>
  private sweepAt = SWEEP_MIN

  constructor(holders: ReadonlySet<TextHolder>) {
    this.holders = holders
  }

  /** Codes are below this. */
  get size(): number {
    return this.texts.length
  }

  /** Bytes that a code needs by now. */
  get width(): Width {
    return this.size <= 256 ? 1 : this.size <= 65_536 ? 2 : 4
  }

  codeOf(text: string): number | undefined {
    const code = this.table[this.placeOf(text, hashOf(text)) + 1]! - 1
    return code < 0 ? undefined : code
  }

  /** Code of a text in a bucket that ends at `endUs`. */
  intern(text: string, endUs: number): number {
    const hash = hashOf(text)
    let place = this.placeOf(text, hash)
    const known = this.table[place + 1]! - 1
    if (known >= 0) {
      if (endUs > this.lastEndUs[known]!) this.lastEndUs[known] = endUs
      return known
    }
    if (this.held >= this.sweepAt) this.sweep()
    if (this.held * 4 >= this.table.length) this.rebuild(this.table.length * 2)
    place = this.placeOf(text, hash)
    const code = this.free.pop() ?? this.texts.length
    this.texts[code] = text
    this.table[place] = hash
    this.table[place + 1] = code + 1
    this.held += 1
    this.residentBytes += ENTRY_BYTES + 2 * text.length
    this.lastEndUs = withRoom(this.lastEndUs, code)
    this.lastEndUs[code] = endUs
    return code
  }

  /** Codes here of the entries of a block's dictionary that are used by its rows; the others stay -1. */
  translate(
    texts: readonly string[],
    codes: ArrayLike<number>,
    rows: Uint32Array,
    rowCount: number,
    endUs: number,
  ): Int32Array {
    const translated = new Int32Array(Math.max(1, texts.length)).fill(-1)
    for (let index = 0; index < rowCount; index++) {
      const code = codes[rows[index]!]!
      if (translated[code]! < 0) translated[code] = this.intern(texts[code] ?? '', endUs)
    }
    return translated
  }

  private sweep(): void {
    let oldestEndUs = Number.POSITIVE_INFINITY
    for (const holder of this.holders) oldestEndUs = Math.min(oldestEndUs, holder.oldestEndUs())
    for (let place = 0; place < this.table.length; place += 2) {
      const code = this.table[place + 1]! - 1
      if (code < 0 || this.lastEndUs[code]! >= oldestEndUs) continue
      this.residentBytes -= ENTRY_BYTES + 2 * this.texts[code]!.length
      this.texts[code] = ''
      this.lastEndUs[code] = GONE
      this.free.push(code)
      this.held -= 1
    }
    this.rebuild(this.table.length)
    this.sweepAt = Math.max(SWEEP_MIN, this.held * 2)
  }

  /** Index in the table of the text, or of the empty place where it belongs. */
  private placeOf(text: string, hash: number): number {
    const { table, texts } = this
    const mask = table.length - 1
    let place = (hash << 1) & mask
    for (;;) {
      const code = table[place + 1]!
      if (code === 0 || (table[place] === hash && texts[code - 1] === text)) return place
      place = (place + 2) & mask
    }
  }

  /** A table of that length with the texts that are held. */
  private rebuild(length: number): void {
    const old = this.table
    const table = new Int32Array(length)
    const mask = length - 1
    for (let from = 0; from < old.length; from += 2) {
      const code = old[from + 1]! - 1
      if (code < 0 || this.lastEndUs[code] === GONE) continue
      let place = (old[from]! << 1) & mask
      while (table[place + 1] !== 0) place = (place + 2) & mask
      table[place] = old[from]!
      table[place + 1] = code + 1
    }
    this.table = table
  }
}

const hashOf = (text: string): number => fmix32(textHash(text))

/** The pools of a table on one thread, by column, and who uses them. */
export class TextPools {
  private readonly holders = new Set<TextHolder>()
  private readonly pools = new Map<string, TextPool>()

  join(holder: TextHolder): void {
    this.holders.add(holder)
  }
  leave(holder: TextHolder): void {
    this.holders.delete(holder)
  }
  get isUnused(): boolean {
    return this.holders.size === 0
  }

  of(column: string): TextPool {
    let pool = this.pools.get(column)
    if (pool === undefined) {
      pool = new TextPool(this.holders)
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

function withRoom(held: Float64Array<ArrayBuffer>, index: number): Float64Array<ArrayBuffer> {
  if (index < held.length) return held
  const larger = new Float64Array(held.length * 2)
  larger.set(held)
  return larger
}
