import type { Rollup, RowSource, SourcePart } from '../plan/row-source.ts'
import { type CellNeed, type Cover, coverRange, type Span } from './cover-range.ts'

/** Who answers a plan: the rows of some sources, and cells that stand for the rows of others. */
export type SplitSources = Readonly<{ rows: readonly SourcePart[]; cells: readonly SourcePart[] }>

/** Gives to cells what cells can tell, bucket by bucket; everything else to the rows. */
export function splitSources(sources: readonly RowSource[], range: Span, need: CellNeed): SplitSources {
  const rows: SourcePart[] = []
  const cells: SourcePart[] = []
  const covers = new Map<Rollup, Cover>()
  for (const source of sources) {
    const { rollup } = source
    if (rollup === undefined) {
      rows.push({ source, startUs: range.startUs, endUs: range.endUs })
      continue
    }
    let cover = covers.get(rollup)
    if (cover === undefined) {
      cover = coverRange(rollup, need, range)
      covers.set(rollup, cover)
      for (const { level, startUs, endUs } of cover.cells) cells.push({ source: level.cells, startUs, endUs })
    }
    for (const { startUs, endUs } of cover.gaps) rows.push({ source, startUs, endUs })
  }
  return { rows, cells }
}
