import { ID_COLUMN_INDEX, TIME_COLUMN_INDEX } from '@truenow/contracts/table-definition.ts'
import type { Chunk } from '../columns/chunk.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import type { StagedColumn, StagedRows } from './staged-rows.ts'

/** The rows that were named last, from the `from`-th on. */
type Piece = Readonly<{ from: number; count: number }>

/** Numbers in the slot's log order: of a block's first row, which the others follow, or of each row. */
export type RowNumbers = number | Float64Array
export const numberAt = (numbers: RowNumbers, row: number): number =>
  typeof numbers === 'number' ? numbers + row : numbers[row]!

/** Writes ids, times and row numbers behind the rows of a chunk, for which it must have room. `named`: which rows these are. */
export function writeRows(
  chunk: Chunk,
  staged: StagedRows,
  { from, count }: Piece,
  { startUs, numbers, named }: Readonly<{ startUs: number; numbers: RowNumbers; named: Uint32Array }>,
): void {
  const kernels = kernelsOf(chunk.arena)
  const [ids, times] = [staged.columns[ID_COLUMN_INDEX], staged.columns[TIME_COLUMN_INDEX]]
  if (ids?.type !== 'id128' || times?.type !== 'timestamp') throw new TypeError('a block without id and time')
  const rows = staged.rows + from * 4
  const { rowCount } = chunk
  kernels.takeIds(ids.values, rows, count, chunk.idsAt + rowCount * 16)
  if (chunk.layout.timeWidth === 8)
    kernels.takeDoubles(times.values, rows, count, chunk.timesAt + rowCount * 8)
  else kernels.takeOffsets(times.values, rows, count, startUs, chunk.timesAt + rowCount * 4)
  chunk.noteNumbers(
    count,
    (index) => numberAt(numbers, named[from + index]!) - chunk.firstRowNumber,
    (index) => endOfStretch(numbers, named, from + index, from + count) - from,
  )
  const bounds = staged.doubles()
  bounds[0] = rowCount === 0 ? Number.POSITIVE_INFINITY : startUs + chunk.timeMin
  bounds[1] = rowCount === 0 ? Number.NEGATIVE_INFINITY : startUs + chunk.timeMax
  kernels.takeExtremes(times.values, rows, count, staged.answer)
  chunk.timeMin = bounds[0]! - startUs
  chunk.timeMax = bounds[1]! - startUs
}

/** Where the rows end, `end` at most, whose numbers follow one another from the one at `at` on. */
function endOfStretch(numbers: RowNumbers, named: Uint32Array, at: number, end: number): number {
  let next = at + 1
  if (typeof numbers === 'number') while (next < end && named[next] === named[next - 1]! + 1) next += 1
  else while (next < end && numbers[named[next]!] === numbers[named[next - 1]!]! + 1) next += 1
  return next
}

/** Writes a column of a block behind the rows of a chunk; texts by their codes in the pool. */
export function writeColumn(
  chunk: Chunk,
  index: number,
  staged: StagedRows,
  source: StagedColumn,
  { from, count }: Piece,
): void {
  const kernels = kernelsOf(chunk.arena)
  const rows = staged.rows + from * 4
  const { width } = chunk.layout.columns[index]!
  const target = chunk.valuesAt(index) + chunk.rowCount * width
  if (source.texts !== undefined) kernels.narrowCodes(source.texts.codes + from * 4, count, width, target)
  else if (width === 1) kernels.takeBytes(source.values, rows, count, target)
  else kernels.takeDoubles(source.values, rows, count, target)
  const validity = chunk.validityAt(index)
  if (validity !== 0) kernels.takeBits(source.validity, rows, count, chunk.rowCount, validity)
}
