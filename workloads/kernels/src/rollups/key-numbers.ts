import type { Scratch } from '../plan/scratch.ts'
import { KEY_CELL_BYTES, type Kernels, type Pointer } from '../simd/kernels.ts'

const USED_BYTES = 4
const CELL_WORDS = KEY_CELL_BYTES / 4

/** Numbers 64-bit keys from 0 in order of appearance, up to a limit; its table is in the scratch. */
export class KeyNumbers {
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly limit: number
  private readonly table: Pointer
  private readonly capacity: number
  private readonly used: Pointer

  /** Errors: TN_MEMORY_FULL. */
  constructor(kernels: Kernels, scratch: Scratch, limit: number) {
    this.kernels = kernels
    this.scratch = scratch
    this.limit = limit
    let capacity = 64
    while ((capacity / 4) * 3 <= limit) capacity *= 2 // Three quarters of a table can be used.
    this.capacity = capacity
    this.table = scratch.allocate(capacity * KEY_CELL_BYTES)
    this.used = scratch.allocate(USED_BYTES)
    kernels.clearBytes(this.table, capacity * KEY_CELL_BYTES)
    scratch.wordsAt(this.used, 1)[0] = 0
  }

  get count(): number {
    return this.scratch.wordsAt(this.used, 1)[0]!
  }

  /** Writes the number of each of `n` keys, u32 at `out`; false when there are more keys than the limit. */
  number(keys: Pointer, n: number, validity: Pointer, out: Pointer): boolean {
    const { kernels, table, capacity, used } = this
    return (
      kernels.numberKeys(keys, n, validity, table, capacity - 1, used, out) === n && this.count <= this.limit
    )
  }

  /** Both halves of each key, by number. */
  halves(): Readonly<{ low: Uint32Array; high: Uint32Array }> {
    const low = new Uint32Array(this.count)
    const high = new Uint32Array(this.count)
    const words = this.scratch.wordsAt(this.table, this.capacity * CELL_WORDS)
    for (let at = 0; at < words.length; at += CELL_WORDS) {
      if (words[at + 3] === 0) continue
      const number = words[at + 2]!
      low[number] = words[at]!
      high[number] = words[at + 1]!
    }
    return { low, high }
  }

  free(): void {
    this.scratch.free(this.table)
    this.scratch.free(this.used)
  }
}
