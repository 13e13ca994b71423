import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { Arena } from './arena.ts'
import { bitmapBytes, type ChunkLayout } from './chunk-layout.ts'

/** Rows that one chunk holds at most, and at least room for: it doubles in between. */
export const CHUNK_ROWS_MAX = 65_536
export const CHUNK_ROWS_MIN = 4

/** Rows `rows[from .. from + count)` of a block, in log order. `whole`: they stand side by side. */
export type RowRange = Readonly<{ rows: Uint32Array; from: number; count: number; whole: boolean }>

/**
 * Rows of one bucket in log order, columns side by side in one run of the arena. Appending never touches rows that are
 * there, so a reader that knows how many there were may go on reading; a chunk that was replaced or left is given back
 * when its last reader releases it.
 */
export class Chunk {
  readonly arena: Arena
  readonly layout: ChunkLayout
  /** Room in rows, a multiple of 4. */
  readonly capacity: number
  readonly pointer: number
  /** The number in log order that its row numbers count from. */
  readonly firstRowNumber: number
  rowCount = 0
  timeUsMin = Number.POSITIVE_INFINITY
  timeUsMax = Number.NEGATIVE_INFINITY
  private readers = 0
  private retired = false

  /** Errors: TN_MEMORY_FULL. */
  constructor(arena: Arena, layout: ChunkLayout, capacity: number, firstRowNumber: number) {
    this.arena = arena
    this.layout = layout
    this.capacity = capacity
    this.firstRowNumber = firstRowNumber
    this.pointer = arena.allocate(layout.bytesOf(capacity))
    for (const [index, { hasValidity }] of layout.columns.entries()) {
      if (hasValidity) this.bytes(layout.validityAt(index, capacity), bitmapBytes(capacity)).fill(0)
    }
  }

  get residentBytes(): number {
    return this.layout.bytesOf(this.capacity)
  }

  /** A reader begins: what it reads stays until it calls `release`. */
  retain(): void {
    this.readers += 1
  }
  release(): void {
    this.readers -= 1
    this.giveBack()
  }
  /** Nobody will begin to read it any more. */
  retire(): void {
    this.retired = true
    this.giveBack()
  }

  ids(): Uint8Array {
    return this.bytes(0, this.capacity * 16)
  }
  times(): Uint32Array | Float64Array {
    const { layout, capacity, pointer, arena } = this
    const at = pointer + layout.timesAt(capacity)
    return layout.timeWidth === 4
      ? new Uint32Array(arena.buffer, at, capacity)
      : new Float64Array(arena.buffer, at, capacity)
  }
  /** Numbers in log order above `firstRowNumber`. */
  rowNumbers(): Uint32Array {
    const at = this.pointer + this.layout.rowNumbersAt(this.capacity)
    return new Uint32Array(this.arena.buffer, at, this.capacity)
  }
  validity(index: number): Uint8Array | undefined {
    if (!this.layout.columns[index]!.hasValidity) return undefined
    return this.bytes(this.layout.validityAt(index, this.capacity), bitmapBytes(this.capacity))
  }
  values(index: number): Uint8Array | Uint16Array | Uint32Array | Float64Array {
    const { layout, capacity, arena } = this
    const at = this.pointer + layout.valuesAt(index, capacity)
    switch (layout.columns[index]!.width) {
      case 1:
        return new Uint8Array(arena.buffer, at, capacity)
      case 2:
        return new Uint16Array(arena.buffer, at, capacity)
      case 4:
        return new Uint32Array(arena.buffer, at, capacity)
      default:
        return new Float64Array(arena.buffer, at, capacity)
    }
  }

  /** Writes values of a column behind the rows that are there. `codes`: this chunk's codes of a block's dictionary. */
  write(index: number, source: Column, range: RowRange, codes: Int32Array | undefined): void {
    const target = this.values(index)
    if (source.type === 'string' && codes !== undefined) {
      const { rows, from, count } = range
      for (let at = 0; at < count; at++) target[this.rowCount + at] = codes[source.codes[rows[from + at]!]!]!
    } else {
      copyRows((source as Extract<Column, { values: Float64Array }>).values, range, target, this.rowCount)
    }
    const validity = this.validity(index)
    if (validity !== undefined) setValid(validity, this.rowCount, source, range)
  }

  /** Writes `count` nulls. */
  writeNulls(index: number, count: number): void {
    this.values(index).fill(0, this.rowCount, this.rowCount + count) // Their bits are 0 as they are.
  }

  /** The same rows in another chunk: wider, larger, or smaller. This one is retired by the caller. */
  copyTo(target: Chunk): void {
    const { rowCount } = this
    target.ids().set(this.ids().subarray(0, rowCount * 16))
    target.times().set(this.times().subarray(0, rowCount))
    target.rowNumbers().set(this.rowNumbers().subarray(0, rowCount))
    for (const [index, { name, hasValidity }] of target.layout.columns.entries()) {
      const own = this.layout.indexOf(name)
      const values = target.values(index)
      if (own === undefined) {
        values.fill(0, 0, rowCount)
        continue
      }
      values.set(this.values(own).subarray(0, rowCount))
      if (!hasValidity) continue
      const [to, from] = [target.validity(index), this.validity(own)]
      if (from !== undefined) to?.set(from.subarray(0, Math.ceil(rowCount / 8)))
      else if (to !== undefined) fillBits(to, rowCount)
    }
    target.rowCount = rowCount
    target.timeUsMin = this.timeUsMin
    target.timeUsMax = this.timeUsMax
  }

  private bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, this.pointer + at, length)
  }

  private giveBack(): void {
    if (this.retired && this.readers === 0) this.arena.free(this.pointer, this.residentBytes)
  }
}

/** Copies rows of `source` to `target` from element `at` on. */
export function copyRows(
  source: Float64Array | Uint8Array,
  { rows, from, count, whole }: RowRange,
  target: Uint8Array | Uint16Array | Uint32Array | Float64Array,
  at: number,
): void {
  if (whole && count > 0) target.set(source.subarray(rows[from]!, rows[from]! + count), at)
  else for (let index = 0; index < count; index++) target[at + index] = source[rows[from + index]!]!
}

function setValid(target: Uint8Array, at: number, source: Column, { rows, from, count }: RowRange): void {
  for (let index = 0; index < count; index++) {
    if (isValid(source, rows[from + index]!)) target[(at + index) >>> 3]! |= 1 << ((at + index) & 7)
  }
}

function fillBits(target: Uint8Array, count: number): void {
  target.fill(255, 0, count >>> 3)
  if ((count & 7) !== 0) target[count >>> 3] = (1 << (count & 7)) - 1
}
