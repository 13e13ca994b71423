import type { Column } from '@truenow/contracts/wire/column.ts'
import type { Chunk } from '../columns/chunk.ts'
import type { TextPools } from '../columns/text-pool.ts'

/**
 * Rows of one slot, frozen at a cut. `column` answers undefined for a column that these rows do not have (it came with a
 * later table version): all null. Columns are views: they hold for as long as the cut does.
 */
export type RowSource = Readonly<{
  slot: number
  rowCount: number
  /** Event times, µs: at least rowCount values, and their bounds over these rows. */
  times: Float64Array
  timeUsMin: number
  timeUsMax: number
  /** Number of each row in the slot's log order. */
  rowNumbers: Float64Array
  column: (name: string) => Column | undefined
  /** Where the rows stand, for kernels; absent for rows that are not in an arena. */
  resident?: Resident
  /** Stands for these rows and those of all other sources of the cut that name it, and for no others. */
  rollup?: Rollup | undefined
}>

/** A chunk at a cut: its first `rowCount` rows (of the source). Event times of 4 bytes count from `startUs`. */
export type Resident = Readonly<{
  chunk: Chunk
  startUs: number
  /** What the codes of string columns mean. */
  pools: TextPools
}>

/** Rows in an arena. */
export type ResidentSource = RowSource & Readonly<{ resident: Resident }>

/**
 * The rows of a bucket, [startUs, endUs) of event time, folded ahead to cells. Each level alone stands for all of them; the
 * one with the fewest cells comes first.
 */
export type Rollup = Readonly<{ startUs: number; endUs: number; levels: readonly RollupLevel[] }>

/** A cell for each step and combination of values of the dimensions that occurs. */
export type RollupLevel = Readonly<{
  dimensions: readonly string[]
  metrics: readonly string[]
  /** Steps begin at multiples of it since 1970, µs; WHOLE_BUCKET: the bucket is one step. */
  stepUs: number
  /** Times are where the step begins, in the bucket; the columns are those of rollups/cell-columns.ts. */
  cells: ResidentSource
}>
export const WHOLE_BUCKET = Number.POSITIVE_INFINITY

/** Rows of a source, or cells, whose time is in [startUs, endUs). */
export type SourcePart<Source extends RowSource = RowSource> = Readonly<{
  source: Source
  startUs: number
  endUs: number
}>

/** What a query reads, bucket by bucket, and nothing that comes later. Whoever takes a cut must release it, once. */
export type Cut = Readonly<{ sources: readonly RowSource[]; release: () => void }>

/** How long a scan may hold the thread before it lets others go on. */
export type Pause = () => Promise<void> | undefined
