import type { Chunk } from '../columns/chunk.ts'
import type { ResidentSource } from '../plan/row-source.ts'
import type { Kernels, OptionalPointer, Pointer } from '../simd/kernels.ts'
import { type CellPart, cellColumn, ROWS_COLUMN } from './cell-columns.ts'
import type { Metric } from './level-layout.ts'

const NUMBER_BYTES = 8

/** Of one metric: `sums` are sum and rest, or high and low. */
type MetricColumns = Metric &
  Readonly<{ count: Pointer; sums: readonly [Pointer, Pointer]; min: Pointer; max: Pointer }>

/** The columns of a level's cells in the making: rows are added, or the cells of a finer level. */
export class CellSums {
  private readonly chunk: Chunk
  private readonly kernels: Kernels
  private readonly rows: Pointer
  private readonly metrics: readonly MetricColumns[]

  /** `chunk` has as many rows as there are cells, with any content in the columns of rows and metrics. */
  constructor(chunk: Chunk, metrics: readonly Metric[], kernels: Kernels) {
    this.chunk = chunk
    this.kernels = kernels
    this.rows = this.filled(ROWS_COLUMN, 0)
    this.metrics = metrics.map((metric) => {
      const [sum, rest] = sumParts(metric)
      const filled = (part: CellPart, value: number) => this.filled(cellColumn(metric.name, part), value)
      return {
        ...metric,
        count: filled('count', 0),
        sums: [filled(sum, 0), filled(rest, 0)],
        min: filled('min', Number.POSITIVE_INFINITY),
        max: filled('max', Number.NEGATIVE_INFINITY),
      }
    })
  }

  /** Adds each row of a chunk to the cell that `groups` (u32 a row) names. */
  addRows({ rowCount: n, resident }: ResidentSource, groups: Pointer): void {
    const { kernels } = this
    kernels.groupCount(groups, n, 0, this.rows)
    for (const { name, type, hasNulls, count, sums, min, max } of this.metrics) {
      const column = columnAt(resident.chunk, name)
      if (column === undefined) continue // It came with a later version: no value.
      const { values, validity } = column
      if (hasNulls) kernels.groupCount(groups, n, validity, count)
      if (type === 'float64') kernels.cellSumF64(values, groups, n, validity, ...sums)
      else kernels.cellSumI64(values, groups, n, validity, ...sums)
      kernels.cellMinMaxF64(values, values, groups, n, validity, min, max)
    }
  }

  /** Adds each cell of a finer level to the coarser one that `groups` names. */
  addCells({ rowCount: n, resident }: ResidentSource, groups: Pointer): void {
    const { kernels } = this
    const { chunk } = resident
    kernels.cellAddF64(columnAt(chunk, ROWS_COLUMN)!.values, groups, n, this.rows)
    for (const metric of this.metrics) {
      const { name, type, hasNulls, count, sums } = metric
      const of = (part: CellPart) => columnAt(chunk, cellColumn(name, part))!
      const [sum, rest] = sumParts(metric)
      if (hasNulls) kernels.cellAddF64(of('count').values, groups, n, count)
      if (type === 'float64') {
        kernels.cellSumF64(of(sum).values, groups, n, 0, ...sums)
        kernels.cellSumF64(of(rest).values, groups, n, 0, ...sums)
      } else {
        kernels.cellAddF64(of(sum).values, groups, n, sums[0])
        kernels.cellSumI64(of(rest).values, groups, n, 0, ...sums)
      }
      const [min, max] = [of('min'), of('max')]
      kernels.cellMinMaxF64(min.values, max.values, groups, n, min.validity, metric.min, metric.max)
    }
  }

  /**
   * Once all is added. False when a sum of float64 left its type: what such a cell says could not be added to others.
   * Cost: O(cells).
   */
  end(): boolean {
    for (const metric of this.metrics) {
      if (metric.type === 'float64' && !areFinite(this.doubles(metric.name, 'sum'))) return false
      if (metric.hasNulls) this.settleNulls(metric)
      else this.kernels.copyBytes(this.rows, metric.count, this.chunk.rowCount * NUMBER_BYTES)
    }
    return true
  }

  /** Cells without a value have no extremes. */
  private settleNulls({ name }: Metric): void {
    const { chunk } = this
    const counts = this.doubles(name, 'count')
    for (const part of ['min', 'max'] as const) {
      const values = this.doubles(name, part)
      const validity = chunk.validity(chunk.layout.indexOf(cellColumn(name, part))!)!
      for (let cell = 0; cell < counts.length; cell++) {
        if (counts[cell] === 0) values[cell] = 0
        else validity[cell >>> 3]! |= 1 << (cell & 7)
      }
    }
  }

  private doubles(metric: string, part: CellPart): Float64Array {
    const { chunk } = this
    const values = chunk.values(chunk.layout.indexOf(cellColumn(metric, part))!) as Float64Array
    return values.subarray(0, chunk.rowCount)
  }
  private filled(name: string, value: number): Pointer {
    const { values } = columnAt(this.chunk, name)!
    this.kernels.fillF64(values, this.chunk.rowCount, value)
    return values
  }
}

const sumParts = ({ type }: Metric): readonly [CellPart, CellPart] =>
  type === 'float64' ? ['sum', 'rest'] : ['high', 'low']

function areFinite(values: Float64Array): boolean {
  for (let cell = 0; cell < values.length; cell++) if (!Number.isFinite(values[cell]!)) return false
  return true
}

/** Addresses of a column of a chunk; undefined when the chunk does not have it. */
function columnAt(
  chunk: Chunk,
  name: string,
): Readonly<{ values: Pointer; validity: OptionalPointer }> | undefined {
  const index = chunk.layout.indexOf(name)
  if (index === undefined) return undefined
  return { values: chunk.valuesAt(index), validity: chunk.validityAt(index) }
}
