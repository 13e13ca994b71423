import { hasBit } from './bitmap-bits.ts'
import type { OptionalPointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/stream-row.ts, which says why: the first row of step `step` of 64 rows. */
export function streamRow(step: number, n: number): number {
  const row = step * 64
  const block = row & ~0x3fff
  return block + 0x4000 > n ? row : block | ((step & 3) << 12) | (((step >> 2) & 63) << 6)
}

/** The selected row numbers of the steps from `from` to before `end`, in the order of the kernels. */
export function selectedRows(
  memory: MemoryViews,
  selection: OptionalPointer,
  n: number,
  from: number,
  end: number,
): number[] {
  const rows: number[] = []
  for (let step = from; step < end; step++) {
    const first = streamRow(step, n)
    for (let row = first; row < Math.min(n, first + 64); row++) {
      if (hasBit(memory, selection, row)) rows.push(row)
    }
  }
  return rows
}
