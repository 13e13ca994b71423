import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'

export type RollupLimits = Readonly<{
  /** Cells that a level of a bucket may have. */
  cellsMax: number
  /** Rows that a cell must stand for, on average: three words are read a cell where a row is one. */
  rowsACellMin: number
  /** A bucket of fewer rows is as fast to scan. */
  rowsMin: number
}>

export const ROLLUP_LIMITS: RollupLimits = {
  cellsMax: CHUNK_ROWS_MAX,
  rowsACellMin: 4,
  rowsMin: 1_024,
}
