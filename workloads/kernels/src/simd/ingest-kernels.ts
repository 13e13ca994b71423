/*
 * The hot loops of a block on its way in. `rows` names `n` rows of the block by number, u32 each; columns of the block
 * stand row by row: u8, u32 codes, f64, ids of 16 bytes. Pointers need not be multiples of 16 here.
 */
type Pointer = number
/** 0 is absent. */
type OptionalPointer = number

/** Bytes of the struct `pool`: codes given, first free code + 1, next record, places by code, texts held; u32 each. */
export const POOL_BYTES = 20
/** A place of a pool's table: a text of at most so many bytes, or hash and record of a longer one; era u8; code and kind u32. */
export const PLACE_BYTES = 16
/** A table has a whole number of lines, and begins at one. */
export const PLACES_A_LINE = 4
export const SHORT_TEXT_BYTES = 11
/** Codes that a place can tell; each costs a place, so an arena ends before they do. */
export const TEXT_CODES_MAX = 2 ** 28
/** A longer text in a pool: code u32, length u32, then its bytes, padded to a multiple of 4. */
export const RECORD_HEADER_BYTES = 8
export const recordBytes = (length: number): number => Math.ceil((RECORD_HEADER_BYTES + length) / 4) * 4

/** Texts of a block's dictionary (bytes, and u32 ends within them) → codes of a pool. 15 bytes behind the texts may be read. */
export type TextKernels = Readonly<{
  /** out[entry] = utf8-hash of the entry, u32. Returns what the records of all that need one would take. */
  hashTexts: (texts: Pointer, ends: Pointer, n: number, out: Pointer) => number
  /** out[entry] = code of the entry, u32, and its place is of this era; 2^32 - 1 = the pool has no such text. */
  findTexts: (
    texts: Pointer,
    ends: Pointer,
    hashes: Pointer,
    n: number,
    table: Pointer,
    places: number,
    era: number,
    out: Pointer,
  ) => void
  /**
   * out[index] = code of entry entries[rows[index]]. A text that `found` does not know is looked for again and added if need
   * be, then known there. The table must have free places, the places by code and the next record room, for every entry that
   * may be new.
   */
  translateTexts: (
    texts: Pointer,
    ends: Pointer,
    hashes: Pointer,
    found: Pointer,
    entries: Pointer,
    rows: Pointer,
    n: number,
    era: number,
    table: Pointer,
    places: number,
    pool: Pointer,
    out: Pointer,
  ) => void
  /** Enters all texts of a table into another, which has room for them. */
  moveTexts: (from: Pointer, fromPlaces: number, to: Pointer, toPlaces: number, pool: Pointer) => void
  /** Frees the codes of texts of eras before `below`, and takes `by` from the eras of the others; 0 is the least. */
  forgetTexts: (table: Pointer, places: number, below: number, by: number, pool: Pointer) => void
  /** Moves those records in [from, end) together whose codes are not free; returns the new end. */
  packTexts: (from: Pointer, end: Pointer, pool: Pointer) => Pointer
}>

type TakeValues = (source: Pointer, rows: Pointer, n: number, out: Pointer) => void

/** Rows of a block into a chunk: out[index] = source[rows[index]]. */
export type TakeKernels = Readonly<{
  takeBytes: TakeValues
  takeDoubles: TakeValues
  takeIds: TakeValues
  /** out[index] = source[rows[index]] - base as u32; f64 integers whose difference is one. */
  takeOffsets: (source: Pointer, rows: Pointer, n: number, base: number, out: Pointer) => void
  /** Copies n bytes. JavaScript copies shared memory word by word. */
  copyBytes: (from: Pointer, to: Pointer, n: number) => void
  /** Makes n bytes zero: JavaScript fills shared memory word by word as well. */
  clearBytes: (at: Pointer, n: number) => void
  /** Lowers state[0] and raises state[1], f64 each, to the values. */
  takeExtremes: (source: Pointer, rows: Pointer, n: number, state: Pointer) => void
  /** Sets bit `at + index` of `out`, which was 0, to bit rows[index] of `source`; 0: to one. */
  takeBits: (source: OptionalPointer, rows: Pointer, n: number, at: number, out: Pointer) => void
  /** How many of these bits are one. */
  countBits: (source: Pointer, rows: Pointer, n: number) => number
  /** u32 codes as codes of `width` bytes: 1, 2 or 4. */
  narrowCodes: (codes: Pointer, n: number, width: number, out: Pointer) => void
}>

type MixValues = (
  values: Pointer,
  validity: OptionalPointer,
  rows: Pointer,
  n: number,
  mixed: Pointer,
) => void

/** Digest of rows: mixed[index] = 31 · mixed[index] + a 32-bit hash of the value of rows[index], null having its own. */
export type DigestKernels = Readonly<{
  mixDoubles: MixValues
  mixBytes: MixValues
  /** The hash of a text is hashes[code]. */
  mixCodes: (
    codes: Pointer,
    hashes: Pointer,
    validity: OptionalPointer,
    rows: Pointer,
    n: number,
    mixed: Pointer,
  ) => void
  mixIds: (ids: Pointer, rows: Pointer, n: number, mixed: Pointer) => void
  /** Takes the mixes, in their order, into a digest of two u32. */
  foldRows: (mixed: Pointer, n: number, digest: Pointer) => void
}>

/** Bytes of the struct `ring`: where ids lie, room for so many, where lines lie, how many, slot of the oldest, ids held, two sums; u32 each. */
export const ID_RING_BYTES = 32
/** A line of a ring's index, at a multiple of 64, and the ids that it tells apart; a new one is all zero. */
export const ID_LINE_BYTES = 64
export const ID_LINE_PLACES = 21

/** Ids of 16 bytes in a ring, found by an index over it, which must have more places than the ring has room. */
export type IdKernels = Readonly<{
  /**
   * Judges rows [from, n) as long as there is room: an id that is not held is remembered, for any other the verdict, u8, becomes 1.
   * Rows whose verdict is not 0 are left out. Adds two mixes of each new id's hash and `mix` to the ring's sums. Returns the first
   * row that was not judged.
   */
  admitIds: (words: Pointer, verdicts: Pointer, from: number, n: number, mix: number, ring: Pointer) => number
  /** Enters all ids that are held into an index that is all zero. */
  enterIds: (ring: Pointer) => void
  /** Forgets the `gone` oldest ids. */
  forgetIds: (gone: number, ring: Pointer) => void
}>
