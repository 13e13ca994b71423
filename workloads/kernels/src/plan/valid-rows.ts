import { CHUNK_ROWS_MAX } from '../columns/chunk.ts'
import { bitmapBytes } from '../columns/chunk-layout.ts'
import { ALL_ROWS, type Selection } from '../filters/select-rows.ts'
import type { Kernels, OptionalPointer } from '../simd/kernels.ts'
import type { ResidentSource } from './row-source.ts'
import type { Scratch } from './scratch.ts'

/**
 * The selected rows that have a value of a column, as a bitmap (0: all of them); '' are the rows themselves. Undefined when
 * the chunk does not have the column. The bitmap holds until the next call.
 */
export function validRows(
  column: string,
  { resident: { chunk }, rowCount }: ResidentSource,
  { pointer }: Selection,
  kernels: Kernels,
  scratch: Scratch,
): OptionalPointer | undefined {
  if (column === '') return pointer
  const index = chunk.layout.indexOf(column)
  if (index === undefined) return undefined
  const validity = chunk.validityAt(index)
  if (validity === 0) return pointer
  const out = scratch.keep('valid rows', bitmapBytes(CHUNK_ROWS_MAX))
  if (pointer === ALL_ROWS) kernels.bitmapFill(rowCount, out)
  kernels.bitmapAnd(pointer === ALL_ROWS ? out : pointer, validity, rowCount, out)
  return out
}
