import type { AggregateCall } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Selection } from '../filters/select-rows.ts'
import type { OptionalPointer } from '../simd/kernels.ts'
import type { ResidentSource } from './row-source.ts'

/** The states of one aggregate by cell, that kernels add rows to. */
export interface CellPart {
  /** Room for so many cells, those that are new in their first state. */
  reserve(cells: number): void
  /** Puts cell i < `from` to `place(i)`, among at least so many cells; a place below 0 drops it. */
  move(atLeast: number, place: (cell: number) => number, from: number): void
  /** Adds the selected rows of a source to the cells that `groups` names, u32 a row; 0: all to cell 0. */
  update(source: ResidentSource, selection: Selection, groups: OptionalPointer): void
  /** The partial state of a call over the given cells, in the form of partial-result-v1. */
  columns(call: AggregateCall, cells: Uint32Array): readonly NamedColumn[]
}
