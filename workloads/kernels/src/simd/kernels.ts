import type { FoldKernels } from './fold-kernels.ts'
import type { DigestKernels, IdKernels, TakeKernels, TextKernels } from './ingest-kernels.ts'

/** A byte address in the memory that the kernels were made over, a multiple of 16. */
export type Pointer = number
/** A pointer that may be 0: absent. Without a selection every row counts, without a validity none is null. */
export type OptionalPointer = number

/**
 * The hot loops of the hot tier over one shared memory: `load-kernels.ts` gives the WebAssembly form, and
 * `reference-kernels.ts` the TypeScript twin with equal results, bit for bit (`kernels.test.ts`).
 *
 * Shapes: `n` rows, at most `KERNEL_ROWS_MAX`. A bitmap has bit r in byte r >> 3, least significant first, and is padded to
 *         a multiple of 16 bytes; its bits from n on are zero in every output, and must be in every input. Inputs are
 *         read up to 16 bytes beyond their end; outputs are written up to their end or their bitmap's padding.
 *         Codes come as u8, u16 or u32: the number at the end of a name. Groups are u32 numbers from 0.
 * Errors: none. A pointer, code or group outside what was passed reads or writes elsewhere in this memory, or traps at
 *         its end: whoever calls checks once a batch. Float64 values are finite.
 * Cost:   O(n) unless said otherwise; nothing is allocated.
 */
export type Kernels = SelectValueKernels &
  SelectCodeKernels &
  KeepCodeKernels &
  BitmapKernels &
  AggregateKernels &
  GroupNumberKernels &
  GroupAggregateKernels &
  FewGroupKernels &
  FixedSumKernels &
  DistinctKernels &
  EndRowKernels &
  CondenseKernels &
  KeyKernels &
  FoldKernels &
  TextKernels &
  TakeKernels &
  IdKernels &
  DigestKernels

/** Most rows in a call. */
export const KERNEL_ROWS_MAX = 65_536
/** Bytes of the `scratch` of `countBy8` and `sumF64By8`; its content need not be kept or cleared. */
export const FEW_GROUPS_SCRATCH_BYTES = 16_384
/** Most groups of those two. */
export const FEW_GROUPS_MAX = 256
/** Bytes of a key of `sumF64ByKeys`: kind u32, address u32, factor u32, 4 bytes unused, shift f64, bucket f64. */
export const SUM_KEY_BYTES = 32
/** Kind of a key of time; codes have their bytes, 1, 2 or 4. */
export const SUM_KEY_OF_TIME = 8
/** Bytes of the `work` of `sumF64ByKeys`, all zero at first, for so many cells. */
export const sumWorkBytes = (cells: number): number => 512 + 16 * cells
/** Bytes of a cell of a key table: key u64, number u32, full u32 (0 or 1). A new table is all zero. */
export const KEY_CELL_BYTES = 16

/** Bytes of a group's block of `raiseRegisters`, all zero at first and whenever it becomes dense. */
export const REGISTER_BLOCK_BYTES = 16_384

/** Bytes of the `scratch` of `condenseValues`; its content need not be kept or cleared. */
export const CONDENSE_SCRATCH_BYTES = 1_540_096

/** Relations of `selectF64`, numbered like the protocol's CompareOperator. */
export const KERNEL_COMPARE = {
  EQUAL: 1,
  NOT_EQUAL: 2,
  LESS: 3,
  LESS_OR_EQUAL: 4,
  GREATER: 5,
  GREATER_OR_EQUAL: 6,
} as const
export type KernelCompare = (typeof KERNEL_COMPARE)[keyof typeof KERNEL_COMPARE]

/** Selections by value: f64 columns and u32 time offsets → bitmap. */
export type SelectValueKernels = Readonly<{
  /** Rows whose value stands in relation `op` to `scalar`. */
  selectF64: (op: KernelCompare, values: Pointer, n: number, scalar: number, out: Pointer) => void
  /** Rows with low ≤ value < high. */
  selectF64Between: (values: Pointer, n: number, low: number, high: number, out: Pointer) => void
  /** Rows with low ≤ value ≤ high, unsigned. */
  selectU32Between: (values: Pointer, n: number, low: number, high: number, out: Pointer) => void
}>

type SelectEqual = (codes: Pointer, n: number, code: number, out: Pointer) => void
type SelectIn = (codes: Pointer, n: number, verdicts: Pointer, out: Pointer) => void

/** Selections by dictionary code → bitmap. `verdicts` is a byte, 0 or 1, per dictionary entry; 256 of them for u8 codes. */
export type SelectCodeKernels = Readonly<{
  /** Rows with this code. A code that the width cannot hold is found nowhere. */
  selectCodeEqual8: SelectEqual
  selectCodeEqual16: SelectEqual
  selectCodeEqual32: SelectEqual
  /** Rows whose code has verdict 1. */
  selectCodeIn8: SelectIn
  selectCodeIn16: SelectIn
  selectCodeIn32: SelectIn
}>

type KeepEqual = (codes: Pointer, n: number, code: number, kept: Pointer) => void

/** Of the rows of the bitmap `kept`, those with this code stay in it. O(n / 64 + rows kept before). */
export type KeepCodeKernels = Readonly<{
  keepCodeEqual8: KeepEqual
  keepCodeEqual16: KeepEqual
  keepCodeEqual32: KeepEqual
}>

/** Selection bitmaps among each other. `out` may be an input. */
export type BitmapKernels = Readonly<{
  /** Ones for n rows. */
  bitmapFill: (n: number, out: Pointer) => void
  bitmapAnd: (a: Pointer, b: Pointer, n: number, out: Pointer) => void
  bitmapOr: (a: Pointer, b: Pointer, n: number, out: Pointer) => void
  bitmapNot: (a: Pointer, n: number, out: Pointer) => void
  /** How many bits are set. */
  bitmapCount: (a: Pointer, n: number) => number
  /** Writes the numbers of the set bits, ascending, as u32; returns how many. */
  bitmapRows: (a: Pointer, n: number, out: Pointer) => number
}>

type Aggregate = (values: Pointer, n: number, selection: OptionalPointer, state: Pointer) => void

/** Aggregates without groups: a chunk is added to a state of three 8-byte cells. */
export type AggregateKernels = Readonly<{
  /**
   * State f64[3]: sum, compensation, count; the sum is sum + compensation. The same rows give the same bits.
   * |error| ≤ 2^-60 max|value| a chunk before sum and compensation are rounded into one number; a sum beyond float64 is
   * infinite, its compensation 0.
   */
  sumF64: Aggregate
  /** Values are integers below 2^53. State i64[3]: high, low, count; the sum is high · 2^32 + low, exact, 0 ≤ low < 2^32. */
  sumI64: Aggregate
  /** State f64[3]: min, max, count, from Infinity, -Infinity, 0 on. -0 is written as 0. */
  minMaxF64: Aggregate
}>

type GroupInit = (
  codes: Pointer,
  validity: OptionalPointer,
  n: number,
  nullCode: number,
  out: Pointer,
) => void
type GroupExtend = (
  codes: Pointer,
  validity: OptionalPointer,
  n: number,
  nullCode: number,
  factor: number,
  out: Pointer,
) => void

/** Group numbers from dictionary codes and time; `out` is u32 a row. */
export type GroupNumberKernels = Readonly<{
  /** out = valid ? code : nullCode. */
  groupInit8: GroupInit
  groupInit16: GroupInit
  groupInit32: GroupInit
  /** out = out · factor + (valid ? code : nullCode), modulo 2^32. */
  groupExtend8: GroupExtend
  groupExtend16: GroupExtend
  groupExtend32: GroupExtend
  /**
   * out = floor((offset + shift) / bucket): u32 offsets, integers; exact, modulo 2^32. For buckets below 2^32:
   * 0 ≤ shift < 2^50; from 2^32 to 2^53: 0 ≤ shift < bucket.
   */
  groupTimesInit: (offsets: Pointer, n: number, shift: number, bucket: number, out: Pointer) => void
  /** out = out · factor + floor((offset + shift) / bucket), modulo 2^32. */
  groupTimesExtend: (
    offsets: Pointer,
    n: number,
    shift: number,
    bucket: number,
    factor: number,
    out: Pointer,
  ) => void
}>

type GroupAggregate = (
  values: Pointer,
  groups: Pointer,
  n: number,
  selection: OptionalPointer,
  states: Pointer,
) => void

/** Aggregates by group number: state g is at states + 24 · g, three cells as without groups. */
export type GroupAggregateKernels = Readonly<{
  /** counts is f64 a group. */
  groupCount: (groups: Pointer, n: number, selection: OptionalPointer, counts: Pointer) => void
  /** f64[3]: sum, compensation, count; in row order. |error| ≤ n² 2^-106 Σ|value|. */
  groupSumF64: GroupAggregate
  /** i64[3]: high, low, count; the sum is high · 2^32 + low, exact for 2^31 rows; low is signed and not normalised. */
  groupSumI64: GroupAggregate
  /** f64[3]: min, max, count. */
  groupMinMaxF64: GroupAggregate
}>

/** The same for at most `FEW_GROUPS_MAX` groups, where waiting for the previous row's store would cost most. */
export type FewGroupKernels = Readonly<{
  /** Adds to counts f64[256] by u8 code. */
  countBy8: (codes: Pointer, n: number, selection: OptionalPointer, counts: Pointer, scratch: Pointer) => void
  /**
   * Adds to states f64[3 · 256] by u8 code. With m the greatest |value| of the chunk, a group's
   * |error| ≤ 2^-42 Σ min(|value|, 2^-25 m) a chunk: compensated, unless m dwarfs all values of a group, which are then
   * summed plainly within blocks of 2,048 rows.
   */
  sumF64By8: (
    values: Pointer,
    codes: Pointer,
    n: number,
    selection: OptionalPointer,
    states: Pointer,
    scratch: Pointer,
  ) => void
}>

/** Sums by group in fixed point: from codes and times straight to the groups' cells. */
export type FixedSumKernels = Readonly<{
  /**
   * Adds the selected rows to cells in `work` (`sumWorkBytes`), those of groups from `first` to before `end`; values that
   * cells cannot hold go to the states f64[3] (sum, compensation, count) at once. Groups are the mixed-radix numbers of
   * `keyCount` keys (`SUM_KEY_BYTES` each) that have no nulls: the code (kind 1, 2 or 4: its bytes), or
   * floor((offset + shift) / bucket) as `groupTimesInit` has it (`SUM_KEY_OF_TIME`), added to `factor` times what the keys
   * before it gave. |error| of a group ≤ 2^-53 Σ|value|; none while values are within 2^16 of the greatest of the first rows.
   */
  sumF64ByKeys: (
    values: Pointer,
    keys: Pointer,
    keyCount: number,
    n: number,
    selection: OptionalPointer,
    first: number,
    end: number,
    work: Pointer,
    states: Pointer,
  ) => void
  /** Adds what the cells hold to the states, compensated, and clears them. O(end - first), over the calls since it last did. */
  settleSums: (work: Pointer, states: Pointer) => void
}>

type RaiseByCode = (
  codes: Pointer,
  groups: OptionalPointer,
  n: number,
  selection: OptionalPointer,
  entries: Pointer,
  blocks: Pointer,
  rest: Pointer,
) => number

/**
 * Registers of HyperLogLogs by group; without `groups` every row is in group 0. An entry is u32, index << 6 | rank as
 * hyperloglog-v1 has it; 0: not known yet. `blocks` is u32 a group: 0 none, the address of a sparse block, or that of a
 * dense one + 1 (`REGISTER_BLOCK_BYTES` each, a register a byte).
 */
export type DistinctKernels = Readonly<{
  /**
   * Raises the registers of dense groups by the entries of the selected rows. All other rows, less those of which a sparse
   * block remembers the entry, go to `rest` by their number, u32, ascending; returns how many. `rest` has room for n.
   */
  raiseRegisters: (
    entries: Pointer,
    groups: OptionalPointer,
    n: number,
    selection: OptionalPointer,
    blocks: Pointer,
    rest: Pointer,
  ) => number
  /** The same where `entries` is u32 per dictionary entry. */
  raiseRegisters8: RaiseByCode
  raiseRegisters16: RaiseByCode
  raiseRegisters32: RaiseByCode
  /** out[row] = the entry of the value's hash (value-hasher.ts), u32 a row. */
  entriesOfF64: (values: Pointer, n: number, out: Pointer) => void
}>

/** First and last rows by event time. */
export type EndRowKernels = Readonly<{
  /**
   * ends: u64 a group, all zero at first. Of each group the selected row of the least (last = 0) or greatest (last = 1)
   * time, u32; of equal times the lower row, or the higher one. Writes time · 2^32 + row + 1, for last = 0 with all bits
   * turned over, and to `touched` the groups whose end was zero, u32 each; returns how many. `touched` has room for n.
   */
  groupEndRows: (
    last: 0 | 1,
    times: Pointer,
    groups: OptionalPointer,
    n: number,
    selection: OptionalPointer,
    ends: Pointer,
    touched: Pointer,
  ) => number
}>

/** Values of a group side by side, and many values as few centroids of a t-digest. */
export type CondenseKernels = Readonly<{
  /**
   * out = the selected values, group by group, in row order within a group; ends[group] = where it ends, u32, in values.
   * O(n + groupCount).
   */
  groupValues: (
    values: Pointer,
    groups: OptionalPointer,
    n: number,
    selection: OptionalPointer,
    groupCount: number,
    ends: Pointer,
    out: Pointer,
  ) => void
  /**
   * out: 16 bytes of any content, then (mean f64, weight f64) for each centroid, ascending; room for n of them. Returns how
   * many: about 1,000 at most. A centroid holds what k1 grows by in 1 / 1,000 of its range; least and greatest value are
   * centroids of their own. A mean lies within its values. `scratch`: `CONDENSE_SCRATCH_BYTES`. O(n) expected, O(10 n) at most.
   */
  condenseValues: (values: Pointer, n: number, out: Pointer, scratch: Pointer) => number
}>

/** Numbers for 64-bit keys by an open-addressing table of a power of two of cells (`KEY_CELL_BYTES`). */
export type KeyKernels = Readonly<{
  /**
   * out[row] = the number of the row's key, u32; equal keys have equal numbers, given from `used` (u32) on in order of
   * appearance. Returns the rows done: fewer than n when a new key met a table that is 3/4 full; then `rehashKeys` into a
   * larger one and call again for the whole chunk: rows that are done find their numbers again, in a fraction of the time.
   * Rows that are not selected are skipped, their `out` is undefined.
   * Keys compare by their bits: whoever keys float64 writes -0 as 0. O(n) expected.
   */
  numberKeys: (
    keys: Pointer,
    n: number,
    selection: OptionalPointer,
    table: Pointer,
    capacityMask: number,
    used: Pointer,
    out: Pointer,
  ) => number
  /** Copies every cell into a larger, zeroed table. O(capacity). */
  rehashKeys: (oldTable: Pointer, oldMask: number, newTable: Pointer, newMask: number) => void
  /** out[row] = low[row] + high[row] · 2^32 as u64: one key of two u32. */
  pairKeys: (low: Pointer, high: Pointer, n: number, out: Pointer) => void
}>
