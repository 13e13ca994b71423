import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { CHUNK_ROWS_MIN, Chunk } from '../columns/chunk.ts'
import {
  type ChunkLayout,
  type LayoutColumn,
  NARROW_TIMES_OF_CELLS,
  WIDE_TIMES_OF_CELLS,
} from '../columns/chunk-layout.ts'
import { type ResidentSource, type RollupLevel, WHOLE_BUCKET } from '../plan/row-source.ts'
import { ChunkSource } from '../replica/chunk-source.ts'
import { cellColumn, ROWS_COLUMN } from './cell-columns.ts'
import type { CellSums, Metric } from './cell-sums.ts'
import { type DimensionCodes, NULL_CODE } from './dimension-codes.ts'

const TWO_TO_32 = 2 ** 32

/** The rows of a bucket, chunk by chunk in log order, that stay as they are while they are folded. */
export type BucketRows = Readonly<{ startUs: number; endUs: number; sources: readonly ResidentSource[] }>

/** Combinations of the first dimensions' values: each is one of the dimensions before and the code of the last. */
export type Tuples = Readonly<{ parents: Uint32Array; codes: Uint32Array }>

/** Of each cell: its combination of dimensions, and its step, counted from the first of the bucket. */
export type CellKeys = Readonly<{ tuples: Uint32Array; steps: Uint32Array; stepUs: number }>

type LevelParts = Readonly<{
  rows: BucketRows
  definition: TableDefinition
  dimensions: readonly DimensionCodes[]
  metrics: readonly Metric[]
}>

/** Puts the cells of a level into a chunk of their own. `tuples`: those of no dimension, of the first, of the first two, ... */
export function writeLevel(
  keys: CellKeys,
  tuples: readonly Tuples[],
  sums: CellSums,
  { rows, definition, dimensions, metrics }: LevelParts,
): RollupLevel {
  const own = dimensions.slice(0, tuples.length - 1)
  const codes = codesOf(keys, tuples)
  const [{ resident }] = rows.sources as [BucketRows['sources'][0]]
  const isNarrow = rows.endUs - rows.startUs <= TWO_TO_32
  let layout: ChunkLayout = isNarrow ? NARROW_TIMES_OF_CELLS : WIDE_TIMES_OF_CELLS
  for (const [at, { name, type, width }] of own.entries())
    layout = layout.with({ name, type, width, hasValidity: codes[at]!.includes(NULL_CODE) })
  for (const column of [number(ROWS_COLUMN, 'int64'), ...metrics.flatMap((metric, at) => metricColumns(metric, sums.counts(at)))]) // biome-ignore format: one line
    layout = layout.with(column)
  const capacity = Math.ceil(sums.cells / CHUNK_ROWS_MIN) * CHUNK_ROWS_MIN
  const chunk = new Chunk(resident.chunk.arena, layout, capacity, 0)
  chunk.rowCount = sums.cells
  writeTimes(chunk, keys, rows, isNarrow)
  for (const [at, dimension] of own.entries()) writeDimension(chunk, dimension, codes[at]!)
  doubles(chunk, ROWS_COLUMN).set(sums.rowCounts())
  for (const [at, metric] of metrics.entries()) writeMetric(chunk, metric, at, sums)
  return {
    dimensions: own.map(({ name }) => name),
    metrics: metrics.map(({ name }) => name),
    stepUs: keys.stepUs,
    cells: new ChunkSource(0, chunk, rows.startUs, resident.pools, definition),
  }
}

/** Codes of each dimension, a cell each. */
function codesOf({ tuples: own }: CellKeys, tuples: readonly Tuples[]): Uint32Array[] {
  const codes: Uint32Array[] = []
  let current = own
  for (let of = tuples.length - 1; of > 0; of--) {
    const { parents, codes: last } = tuples[of]!
    codes.unshift(current.map((tuple) => last[tuple]!))
    current = current.map((tuple) => parents[tuple]!)
  }
  return codes
}

const number = (name: string, type: Metric['type'], hasValidity = false): LayoutColumn => ({
  name,
  type,
  width: 8,
  hasValidity,
})

function metricColumns({ name, type }: Metric, counts: Float64Array): LayoutColumn[] {
  const halves = type === 'float64' ? (['sum', 'rest'] as const) : (['high', 'low'] as const)
  const hasEmpty = counts.includes(0)
  return [
    number(cellColumn(name, 'count'), 'int64'),
    ...halves.map((part) => number(cellColumn(name, part), type)),
    number(cellColumn(name, 'min'), type, hasEmpty),
    number(cellColumn(name, 'max'), type, hasEmpty),
  ]
}

function writeTimes(
  chunk: Chunk,
  { steps, stepUs }: CellKeys,
  { startUs }: BucketRows,
  isNarrow: boolean,
): void {
  const times = chunk.times()
  const first = stepUs === WHOLE_BUCKET ? 0 : Math.floor(startUs / stepUs)
  let [earliestUs, latestUs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let cell = 0; cell < steps.length; cell++) {
    const timeUs = stepUs === WHOLE_BUCKET ? startUs : Math.max(startUs, (first + steps[cell]!) * stepUs)
    times[cell] = isNarrow ? timeUs - startUs : timeUs
    if (timeUs < earliestUs) earliestUs = timeUs
    if (timeUs > latestUs) latestUs = timeUs
  }
  chunk.timeMin = earliestUs - startUs
  chunk.timeMax = latestUs - startUs
}

function writeDimension(chunk: Chunk, dimension: DimensionCodes, codes: Uint32Array): void {
  const index = chunk.layout.indexOf(dimension.name)!
  const values = chunk.values(index)
  const validity = chunk.validity(index)
  const valueAt = dimension.values()
  for (let cell = 0; cell < codes.length; cell++) {
    const isNull = codes[cell] === NULL_CODE
    values[cell] = isNull ? 0 : valueAt(codes[cell]!)
    if (!isNull && validity !== undefined) validity[cell >>> 3]! |= 1 << (cell & 7)
  }
}

function writeMetric(chunk: Chunk, { name, type }: Metric, at: number, sums: CellSums): void {
  const counts = sums.counts(at)
  doubles(chunk, cellColumn(name, 'count')).set(counts)
  const halves = type === 'float64' ? (['sum', 'rest'] as const) : (['high', 'low'] as const)
  for (const part of halves) sums.write(at, part, doubles(chunk, cellColumn(name, part)))
  for (const part of ['min', 'max'] as const) {
    const values = doubles(chunk, cellColumn(name, part))
    sums.write(at, part, values)
    const validity = chunk.validity(chunk.layout.indexOf(cellColumn(name, part))!)
    if (validity === undefined) continue
    for (let cell = 0; cell < counts.length; cell++) {
      if (counts[cell] === 0) values[cell] = 0
      else validity[cell >>> 3]! |= 1 << (cell & 7)
    }
  }
}

const doubles = (chunk: Chunk, name: string): Float64Array =>
  chunk.values(chunk.layout.indexOf(name)!) as Float64Array
