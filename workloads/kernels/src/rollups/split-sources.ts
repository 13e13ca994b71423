import type { RowSource, SourcePart } from '../plan/row-source.ts'
import { type CellNeed, coverRange, type Span } from './cover-range.ts'

/** Who answers a plan: the rows of some sources, and cells that stand for the rows of others. */
export type SplitSources = Readonly<{ rows: readonly SourcePart[]; cells: readonly SourcePart[] }>

/** Gives to cells what cells can tell, bucket by bucket; everything else to the rows. */
export function splitSources(sources: readonly RowSource[], range: Span, need: CellNeed): SplitSources {
  const rows: SourcePart[] = []
  const cells: SourcePart[] = []
  for (const [rollup, own] of Map.groupBy(sources, (source) => source.rollup)) {
    if (rollup === undefined) {
      rows.push(...own.map((source) => ({ source, ...range })))
      continue
    }
    const cover = coverRange(rollup, need, range)
    for (const { level, startUs, endUs } of cover.cells) cells.push({ source: level.cells, startUs, endUs })
    for (const gap of cover.gaps) rows.push(...own.map((source) => ({ source, ...gap })))
  }
  return { rows, cells }
}
