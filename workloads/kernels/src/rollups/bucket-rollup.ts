import { KeptByReaders } from '../columns/kept-by-readers.ts'
import type { Rollup, RollupLevel } from '../plan/row-source.ts'

/**
 * The rollups of a bucket, as many as are declared: all their levels, each of which stands for the same rows. Never
 * changed; one that is replaced or left is given back when its last reader releases it.
 */
export class BucketRollup extends KeptByReaders implements Rollup {
  readonly startUs: number
  readonly endUs: number
  readonly levels: readonly RollupLevel[]
  /** Rows that it stands for. */
  readonly rowCount: number
  /** Levels that would have had more cells than is worth it: rows are read instead. */
  readonly levelsLeftOut: number
  readonly cells: number
  readonly residentBytes: number

  constructor(
    parts: Readonly<{
      startUs: number
      endUs: number
      levels: readonly RollupLevel[]
      rowCount: number
      levelsLeftOut: number
    }>,
  ) {
    super()
    this.startUs = parts.startUs
    this.endUs = parts.endUs
    this.levels = parts.levels.toSorted((a, b) => a.cells.rowCount - b.cells.rowCount)
    this.rowCount = parts.rowCount
    this.levelsLeftOut = parts.levelsLeftOut
    this.cells = this.levels.reduce((sum, { cells }) => sum + cells.rowCount, 0)
    this.residentBytes = this.levels.reduce((sum, { cells }) => sum + cells.resident.chunk.residentBytes, 0)
  }

  protected giveBack(): void {
    for (const { cells } of this.levels) cells.resident.chunk.retire()
  }
}
