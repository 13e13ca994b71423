/*
 * The hot loops of a block on its way in. `rows` names `n` rows of the block by number, u32 each; columns of the block
 * stand row by row: u8, u32 codes, f64, ids of 16 bytes. Pointers need not be multiples of 16 here.
 */
type Pointer = number
/** 0 is absent. */
type OptionalPointer = number

/** Bytes of the struct `pool`: codes given, first free code + 1, next record, records by code, texts held; u32 each. */
export const POOL_BYTES = 20
/** A gap between two rows of a chunk that a byte cannot tell. */
export const WIDE_GAP = 255
/** A text in a pool: code u32, end u32, length u32, then its bytes, padded to a multiple of 8. */
export const TEXT_HEADER_BYTES = 12
/** What a record takes beside its text, at most: padding included. */
export const TEXT_BYTES_BESIDE = TEXT_HEADER_BYTES + 7
/** Bytes that a text takes in a pool. */
export const textRecordBytes = (length: number): number => Math.ceil((TEXT_HEADER_BYTES + length) / 8) * 8

/** Texts of a block's dictionary (bytes, and u32 ends within them) → codes of a pool. */
export type TextKernels = Readonly<{
  /** out[entry] = utf8-hash of the entry, u32. */
  hashTexts: (texts: Pointer, ends: Pointer, n: number, out: Pointer) => void
  /** out[entry] = address of the entry's record, u32; 0 = the pool has no such text. */
  findTexts: (
    texts: Pointer,
    ends: Pointer,
    hashes: Pointer,
    n: number,
    table: Pointer,
    mask: number,
    out: Pointer,
  ) => void
  /**
   * out[index] = the pool's code of entry codes[rows[index]]. A text that `records` does not name is looked for again and
   * added if need be, then named there; its record holds the greatest `end` it was asked with. The table must have free
   * places, and the next record and the records by code room, for every entry that may be new.
   */
  translateTexts: (
    texts: Pointer,
    ends: Pointer,
    hashes: Pointer,
    records: Pointer,
    codes: Pointer,
    rows: Pointer,
    n: number,
    end: number,
    table: Pointer,
    mask: number,
    pool: Pointer,
    out: Pointer,
  ) => void
  /** Enters the records in [from, end) into a table that does not have them. */
  indexTexts: (from: Pointer, end: Pointer, table: Pointer, mask: number) => void
  /** Moves the records in [from, end) with `end` ≥ oldest together, frees the codes of the others; returns the new end. */
  sweepTexts: (from: Pointer, end: Pointer, oldest: number, pool: Pointer) => number
}>

type TakeValues = (source: Pointer, rows: Pointer, n: number, out: Pointer) => void

/** Rows of a block into a chunk: out[index] = source[rows[index]]. */
export type TakeKernels = Readonly<{
  takeBytes: TakeValues
  takeDoubles: TakeValues
  takeIds: TakeValues
  /** out[index] = source[rows[index]] - base as u32; f64 integers whose difference is one. */
  takeOffsets: (source: Pointer, rows: Pointer, n: number, base: number, out: Pointer) => void
  /**
   * out[index] = how many rows lie between rows[index - 1] and rows[index], u8, for index ≥ 1; `WIDE_GAP` for as many or more.
   * Rows must ascend. Returns how many gaps are wide.
   */
  takeGaps: (rows: Pointer, n: number, out: Pointer) => number
  /** Copies n bytes. JavaScript copies shared memory word by word. */
  copyBytes: (from: Pointer, to: Pointer, n: number) => void
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
