import {
  type ChunkLayout,
  type LayoutColumn,
  NARROW_TIMES_OF_CELLS,
  WIDE_TIMES_OF_CELLS,
} from '../columns/chunk-layout.ts'
import { type CellPart, cellColumn, ROWS_COLUMN } from './cell-columns.ts'

/** `hasNulls`: some row of the bucket may have no value, so some cell may have none. */
export type Metric = Readonly<{ name: string; type: 'int64' | 'float64'; hasNulls: boolean }>

/** Where the columns of a level without dimensions stand; `isNarrow`: its times are offsets of 4 bytes. */
export function levelLayout(isNarrow: boolean, metrics: readonly Metric[]): ChunkLayout {
  const empty: ChunkLayout = isNarrow ? NARROW_TIMES_OF_CELLS : WIDE_TIMES_OF_CELLS
  return [number(ROWS_COLUMN, 'int64'), ...metrics.flatMap(metricColumns)].reduce(
    (layout, column) => layout.with(column),
    empty,
  )
}

function metricColumns({ name, type, hasNulls }: Metric): LayoutColumn[] {
  const of = (part: CellPart, isNullable = false) => number(cellColumn(name, part), type, isNullable)
  return [
    number(cellColumn(name, 'count'), 'int64'),
    ...(type === 'float64' ? [of('sum'), of('rest')] : [of('high'), of('low')]),
    of('min', hasNulls),
    of('max', hasNulls),
  ]
}

const number = (name: string, type: Metric['type'], hasValidity = false): LayoutColumn => ({
  name,
  type,
  width: 8,
  hasValidity,
})
