import { kernelsOf } from '../simd/kernels-of.ts'
import type { Arena } from './arena.ts'
import { bitmapBytes, type ChunkLayout } from './chunk-layout.ts'
import { KeptByReaders } from './kept-by-readers.ts'
import { RowGaps } from './row-gaps.ts'

/** Rows that one chunk holds at most, and at least room for: it doubles in between. */
export const CHUNK_ROWS_MAX = 65_536
export const CHUNK_ROWS_MIN = 4

/**
 * Rows of one bucket in log order, columns side by side in one run of the arena. Appending never touches rows that are
 * there, so a reader that knows how many there were may go on reading; a chunk that was replaced or left is given back
 * when its last reader releases it.
 */
export class Chunk extends KeptByReaders {
  readonly arena: Arena
  readonly layout: ChunkLayout
  private rowsMost: number
  readonly pointer: number
  /** The number in log order of its first row. */
  readonly firstRowNumber: number
  /** That of its last one, above the first. */
  private lastRowOffset = 0
  /** Undefined while its rows follow one another in the log. */
  private gaps: RowGaps | undefined
  rowCount = 0
  /** Bounds of the event times, µs above the bucket's start: small integers, which cost no object each. */
  timeMin = 0
  timeMax = 0

  /** Errors: TN_MEMORY_FULL. */
  constructor(arena: Arena, layout: ChunkLayout, capacity: number, firstRowNumber: number) {
    super()
    this.arena = arena
    this.layout = layout
    this.rowsMost = capacity
    this.firstRowNumber = firstRowNumber
    this.pointer = arena.allocate(layout.bytesOf(capacity))
    for (const [index, { hasValidity }] of layout.columns.entries()) {
      if (hasValidity) this.bytes(layout.validityAt(index, capacity), bitmapBytes(capacity)).fill(0)
    }
  }

  /** Room in rows, a multiple of 4. */
  get capacity(): number {
    return this.rowsMost
  }

  get residentBytes(): number {
    return this.layout.bytesOf(this.capacity) + (this.gaps?.residentBytes ?? 0)
  }

  /** Addresses of its parts, for kernels. */
  get idsAt(): number {
    return this.pointer
  }
  get timesAt(): number {
    return this.pointer + this.layout.timesAt(this.capacity)
  }
  /** 0 where no row is null. */
  validityAt(index: number): number {
    const { hasValidity } = this.layout.columns[index]!
    return hasValidity ? this.pointer + this.layout.validityAt(index, this.capacity) : 0
  }
  valuesAt(index: number): number {
    return this.pointer + this.layout.valuesAt(index, this.capacity)
  }

  ids(): Uint8Array {
    return this.bytes(0, this.capacity * 16)
  }
  times(): Uint32Array | Float64Array {
    const { layout, capacity, timesAt: at, arena } = this
    return layout.timeWidth === 4
      ? new Uint32Array(arena.buffer, at, capacity)
      : new Float64Array(arena.buffer, at, capacity)
  }
  /** Numbers in log order of the first `count` rows. Cost: O(count). */
  rowNumbers(count: number): Float64Array {
    const numbers = new Float64Array(count)
    if (this.gaps !== undefined) this.gaps.write(numbers, this.firstRowNumber)
    else for (let row = 0; row < count; row++) numbers[row] = this.firstRowNumber + row
    return numbers
  }
  validity(index: number): Uint8Array | undefined {
    if (!this.layout.columns[index]!.hasValidity) return undefined
    return this.bytes(this.layout.validityAt(index, this.capacity), bitmapBytes(this.capacity))
  }
  values(index: number): Uint8Array | Uint16Array | Uint32Array | Float64Array {
    const { layout, capacity, arena } = this
    const at = this.valuesAt(index)
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

  /**
   * Notes the numbers in log order of rows that will be appended, above that of the first: `offsetOf` by index, ascending; `endOf` is
   * the index behind the last row that follows the one of an index without a gap. Both are asked once a gap.
   */
  noteNumbers(count: number, offsetOf: (index: number) => number, endOf: (index: number) => number): void {
    let [last, following] = [this.rowCount === 0 ? -1 : this.lastRowOffset, 0]
    for (let index = 0; index < count; ) {
      const [offset, end] = [offsetOf(index), endOf(index)]
      const gap = offset - last - 1
      if (gap > 0) {
        if (this.gaps === undefined) {
          this.gaps = new RowGaps()
          following += this.rowCount
        }
        this.gaps.addFollowing(following)
        this.gaps.add(gap, offset)
        following = -1 // The row behind a gap is told of with it.
      }
      following += end - index
      last = offset + end - index - 1
      index = end
    }
    this.gaps?.addFollowing(following)
    this.lastRowOffset = last
  }

  /** Writes `count` nulls. */
  writeNulls(index: number, count: number): void {
    this.values(index).fill(0, this.rowCount, this.rowCount + count) // Their bits are 0 as they are.
  }

  /** The same rows in another chunk: wider, larger, or smaller. This one is retired by the caller. */
  copyTo(target: Chunk): void {
    const { rowCount, layout, arena } = this
    const { copyBytes } = kernelsOf(arena)
    copyBytes(this.idsAt, target.idsAt, rowCount * 16)
    copyBytes(this.timesAt, target.timesAt, rowCount * layout.timeWidth)
    for (const [index, { name, hasValidity }] of target.layout.columns.entries()) {
      const own = this.layout.indexOf(name)
      if (own === undefined) {
        target.values(index).fill(0, 0, rowCount)
        continue
      }
      const { width } = layout.columns[own]!
      if (width === target.layout.columns[index]!.width)
        copyBytes(this.valuesAt(own), target.valuesAt(index), rowCount * width)
      else target.values(index).set(this.values(own).subarray(0, rowCount))
      if (!hasValidity) continue
      const [to, from] = [target.validity(index), this.validity(own)]
      if (from !== undefined) to?.set(from.subarray(0, Math.ceil(rowCount / 8)))
      else if (to !== undefined) fillBits(to, rowCount)
    }
    target.rowCount = rowCount
    target.timeMin = this.timeMin
    target.timeMax = this.timeMax
    target.lastRowOffset = this.lastRowOffset
    target.gaps = this.gaps // Only ever longer: who reads a row finds its own.
  }

  /**
   * Moves its parts together and gives back the room for all but `capacity` rows. Answers false, and changes nothing, while
   * somebody reads it: then the rows must stay where they are.
   */
  shrink(capacity: number): boolean {
    if (this.isRead) return false
    const { layout, rowCount, arena, pointer, capacity: before } = this
    const { copyBytes } = kernelsOf(arena)
    // Each part moves towards the first one, so no part is written over before it has moved.
    const move = (from: number, to: number, bytes: number) => copyBytes(pointer + from, pointer + to, bytes)
    move(layout.timesAt(before), layout.timesAt(capacity), rowCount * layout.timeWidth)
    for (const [index, { width, hasValidity }] of layout.columns.entries()) {
      if (hasValidity)
        move(layout.validityAt(index, before), layout.validityAt(index, capacity), bitmapBytes(capacity))
      move(layout.valuesAt(index, before), layout.valuesAt(index, capacity), rowCount * width)
    }
    arena.shrink(pointer, layout.bytesOf(before), layout.bytesOf(capacity))
    this.rowsMost = capacity
    return true
  }

  private bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, this.pointer + at, length)
  }

  protected giveBack(): void {
    this.arena.free(this.pointer, this.layout.bytesOf(this.capacity))
  }
}

function fillBits(target: Uint8Array, count: number): void {
  target.fill(255, 0, count >>> 3)
  if ((count & 7) !== 0) target[count >>> 3] = (1 << (count & 7)) - 1
}
