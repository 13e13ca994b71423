import type { Column } from '@truenow/contracts/wire/column.ts'

/**
 * Rows of one slot in one time bucket, frozen at a cut. `column` answers undefined for a column that these rows do not
 * have (it came with a later table version): all null.
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
}>

/** How long a scan may hold the thread before it lets others go on. */
export type Pause = () => Promise<void> | undefined
