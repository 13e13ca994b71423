import type { Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

/** Twin of assembly/greatest-of.ts: the greatest |value| of some rows, 0 of none. */
export function greatestOf({ f64 }: MemoryViews, values: Pointer, rows: readonly number[]): number {
  let top = 0
  for (const row of rows) top = Math.max(top, Math.abs(f64[values / 8 + row]!))
  return top
}
