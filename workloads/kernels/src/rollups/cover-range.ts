import { type Rollup, type RollupLevel, WHOLE_BUCKET } from '../plan/row-source.ts'

/** What a plan asks of the cells that are to answer it. */
export type CellNeed = Readonly<{
  /** Columns of filters and keys: all must be dimensions. */
  columns: readonly string[]
  metrics: readonly string[]
  /** Widths of the time buckets among the keys, µs. */
  bucketsUs: readonly number[]
}>
export type Span = Readonly<{ startUs: number; endUs: number }>
export type Cover = Readonly<{
  cells: ReadonlyArray<Span & Readonly<{ level: RollupLevel }>>
  /** Where only the rows can tell. */
  gaps: readonly Span[]
}>

/**
 * Covers the part of a bucket that a plan reads, [startUs, endUs), by whole cells: the level with the fewest cells in the
 * middle, others towards the edges, and rows for what is left there. Spans do not overlap. Cost: O(levels).
 */
export function coverRange(rollup: Rollup, need: CellNeed, { startUs, endUs }: Span): Cover {
  const cells: Array<Cover['cells'][number]> = []
  const gaps: Span[] = []
  const cover = (fromUs: number, toUs: number, firstLevel: number): void => {
    if (fromUs >= toUs) return
    for (let at = firstLevel; at < rollup.levels.length; at++) {
      const level = rollup.levels[at]!
      if (!canAnswer(level, rollup, need)) continue
      const [firstUs, lastUs] = [stepAfter(fromUs, level, rollup), stepBefore(toUs, level, rollup)]
      if (firstUs >= lastUs) continue
      cells.push({ level, startUs: firstUs, endUs: lastUs })
      cover(fromUs, firstUs, at + 1)
      cover(lastUs, toUs, at + 1)
      return
    }
    gaps.push({ startUs: fromUs, endUs: toUs })
  }
  cover(Math.max(startUs, rollup.startUs), Math.min(endUs, rollup.endUs), 0)
  return { cells, gaps }
}

function canAnswer(level: RollupLevel, rollup: Rollup, { columns, metrics, bucketsUs }: CellNeed): boolean {
  return (
    columns.every((name) => level.dimensions.includes(name)) &&
    metrics.every((name) => level.metrics.includes(name)) &&
    bucketsUs.every((bucketUs) => isWithin(bucketUs, level, rollup))
  )
}

/** Whether no cell of the level has rows of two time buckets of this width. */
function isWithin(bucketUs: number, { stepUs }: RollupLevel, { startUs, endUs }: Rollup): boolean {
  if (stepUs !== WHOLE_BUCKET) return bucketUs % stepUs === 0
  return Math.floor(startUs / bucketUs) === Math.floor((endUs - 1) / bucketUs)
}

/** Where the first step begins that has no row before `us`. */
function stepAfter(us: number, { stepUs }: RollupLevel, { startUs, endUs }: Rollup): number {
  if (us === startUs) return us
  return stepUs === WHOLE_BUCKET ? endUs : Math.min(endUs, Math.ceil(us / stepUs) * stepUs)
}

/** Where the last step ends that has no row from `us` on. */
function stepBefore(us: number, { stepUs }: RollupLevel, { startUs, endUs }: Rollup): number {
  if (us === endUs) return us
  return stepUs === WHOLE_BUCKET ? startUs : Math.max(startUs, Math.floor(us / stepUs) * stepUs)
}
