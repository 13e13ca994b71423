import assert from 'node:assert/strict'
import type { Arena } from '../columns/arena.ts'
import { ID_LINE_BYTES, ID_RING_BYTES } from '../simd/ingest-kernels.ts'
import type { Kernels } from '../simd/kernels.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { RecentIds } from './recent-ids.ts'

/** Ids that a ring can take: the index has slots of 16 bits. */
export const RING_IDS_MOST = 2 ** 16 - 1
const ID_BYTES = 16
/** Of the 21 that a line of the index has places for: fuller, more ids lie beyond their own line; emptier, an id takes more than 20 bytes. */
const IDS_A_LINE = 18.7
/** A full ring grows by this much, and by no less than a few: what stands empty counts for each id. */
const GROWTH = 1.03125
const GROWTH_MIN = 16
/** Rows that are staged beyond as many as there is room for: some are duplicates. */
const ROWS_BEYOND = 256
/** A ring shrinks once so many of its ids have left. */
const SHRINK_PART = 1 / 2
/** Words of the struct `ring` that kernels change. */
const [START, HELD, SUM_A, SUM_B] = [4, 5, 6, 7]

/** What became of rows: the first that was not judged, how many were admitted, and the sums of two mixes of their hashes. */
export type Admitted = Readonly<{ next: number; count: number; sumA: number; sumB: number }>

/**
 * Ids in the order they came, in a ring of the arena, and an index over them: the ids of a window that needs no runs.
 * Cost: O(1) expected an id, mostly one line of the index, to judge it and to forget it. Memory: 16 bytes in the ring and 3.4 in
 * the index for each id of `capacity`, which is hardly larger than what is remembered. Source: simd/id-ring.ts.
 */
export class RecentRing {
  /** Sequence number of the oldest id. */
  first: number
  count = 0
  private rowsMost: number
  private readonly arena: Arena
  private readonly kernels: Kernels
  /** Where the ids lie, with the index behind them. */
  private pointer: number
  /** Slot of the oldest id. */
  private start = 0

  /** Errors: TN_MEMORY_FULL when the arena ends. */
  constructor(first: number, capacity: number, arena: Arena) {
    assert(capacity >= 1 && capacity <= RING_IDS_MOST, 'slots of a ring have 16 bits')
    this.first = first
    this.rowsMost = capacity
    this.arena = arena
    this.kernels = kernelsOf(arena)
    this.pointer = this.take(capacity)
  }

  get next(): number {
    return this.first + this.count
  }
  get capacity(): number {
    return this.rowsMost
  }
  get residentBytes(): number {
    return bytesOf(this.capacity)
  }

  /**
   * Judges rows from `from` on, as long as there is room: an id that is not here is remembered; for any other the verdict becomes
   * 1. Rows whose verdict is not 0 are left out. `words` has four of each row, `mix` goes into the sums.
   */
  admit(words: Uint32Array, verdicts: Uint8Array, from: number, mix: number): Admitted {
    const { arena, kernels, count } = this
    const end = Math.min(verdicts.length, from + this.capacity - count + ROWS_BEYOND)
    const rows = end - from
    const bytes = ID_RING_BYTES + rows * (ID_BYTES + 1)
    const at = arena.allocate(bytes, arena.stagedAt)
    const ring = this.describe(at)
    const [ids, marks] = [at + ID_RING_BYTES, at + ID_RING_BYTES + rows * ID_BYTES]
    arena.write(words.subarray(from * 4), rows * ID_BYTES, ids)
    arena.write(verdicts.subarray(from), rows, marks)
    const next = from + kernels.admitIds(ids, marks, 0, rows, mix, at)
    Buffer.from(arena.buffer, marks, rows).copy(verdicts, from)
    this.count = ring[HELD]!
    const [sumA, sumB] = [ring[SUM_A]! | 0, ring[SUM_B]! | 0]
    arena.stagedAt = arena.free(at, bytes)
    return { next, count: this.count - count, sumA, sumB }
  }

  /** Lets go of the ids below sequence number `head`, and of the room that is too much then, but for that of `capacityMin`. */
  forget(head: number, capacityMin: number): void {
    const gone = Math.min(this.count, head - this.first)
    if (gone <= 0) return
    const left = this.count - gone
    if (left <= this.capacity * SHRINK_PART && this.capacity > capacityMin) {
      this.resize(Math.max(capacityMin, grown(left)), gone)
      return
    }
    const { arena, kernels } = this
    const at = arena.allocate(ID_RING_BYTES, arena.stagedAt)
    const ring = this.describe(at)
    kernels.forgetIds(gone, at)
    this.start = ring[START]!
    arena.stagedAt = arena.free(at, ID_RING_BYTES)
    this.first += gone
    this.count = left
  }

  /** Room for `rows` more ids, and for some at least; `capacityMax` in all at most. False when it has that already. */
  grow(capacityMax: number, rows: number): boolean {
    const some = Math.max(grown(this.capacity), this.capacity + GROWTH_MIN)
    const capacity = Math.min(capacityMax, RING_IDS_MOST, Math.max(some, this.count + rows))
    if (capacity <= this.capacity) return false
    this.resize(capacity, 0)
    return true
  }

  /** Gives back room that it was given in vain, where that is more than it grows by; but for that of `capacityMin`. */
  trim(capacityMin: number): void {
    const capacity = Math.max(capacityMin, grown(this.count), this.count + GROWTH_MIN)
    if (capacity < this.capacity) this.resize(capacity, 0)
  }

  /** Writes the words of the ids with sequence numbers [from, to) to `target`, from word `at` on. */
  copyIds(from: number, to: number, target: Uint32Array, at: number): void {
    const { capacity, start, first, pointer, arena } = this
    const words = new Uint32Array(arena.buffer, pointer, capacity * 4)
    const slot = (start + from - first) % capacity
    const straight = Math.min(to - from, capacity - slot)
    target.set(words.subarray(slot * 4, (slot + straight) * 4), at)
    target.set(words.subarray(0, (to - from - straight) * 4), at + straight * 4)
  }

  /** The same ids as a set that can become a run, with no room for more. */
  toSet(): RecentIds {
    const set = new RecentIds(this.first, this.count)
    this.copyIds(this.first, this.next, set.ids, 0)
    set.enterAll(this.count)
    return set
  }

  /** Gives everything back: nobody uses it any more. */
  free(): void {
    this.arena.free(this.pointer, bytesOf(this.capacity))
    this.count = 0
  }

  private resize(capacity: number, gone: number): void {
    const { arena, kernels, pointer, capacity: before } = this
    const left = this.count - gone
    const slot = (this.start + gone) % before
    const straight = Math.min(left, before - slot)
    const larger = this.take(capacity)
    kernels.copyBytes(pointer + slot * ID_BYTES, larger, straight * ID_BYTES)
    kernels.copyBytes(pointer, larger + straight * ID_BYTES, (left - straight) * ID_BYTES)
    arena.free(pointer, bytesOf(before))
    this.pointer = larger
    this.rowsMost = capacity
    this.first += gone
    this.count = left
    this.start = 0
    const at = arena.allocate(ID_RING_BYTES, arena.stagedAt)
    this.describe(at)
    kernels.enterIds(at)
    arena.stagedAt = arena.free(at, ID_RING_BYTES)
  }

  /** Room for so many ids, and an empty index. */
  private take(capacity: number): number {
    const pointer = this.arena.allocate(bytesOf(capacity))
    this.kernels.clearBytes(pointer + idBytesOf(capacity), linesFor(capacity) * ID_LINE_BYTES)
    return pointer
  }

  /** Writes the struct `ring` that kernels take; answers its words. */
  private describe(at: number): Uint32Array {
    const { pointer, capacity, start, count } = this
    const ring = new Uint32Array(this.arena.buffer, at, ID_RING_BYTES / 4)
    ring.set([pointer, capacity, pointer + idBytesOf(capacity), linesFor(capacity), start, count, 0, 0])
    return ring
  }
}

const linesFor = (capacity: number): number => Math.ceil(capacity / IDS_A_LINE)
/** With what the lines behind them need to begin at a multiple of 64. */
const idBytesOf = (capacity: number): number =>
  Math.ceil((capacity * ID_BYTES) / ID_LINE_BYTES) * ID_LINE_BYTES
const bytesOf = (capacity: number): number => idBytesOf(capacity) + linesFor(capacity) * ID_LINE_BYTES

/**
 * Bytes that the arena may be asked for, at most, until `count` ids are held and `rows` judged: a ring grows once, and may then be
 * trimmed, or it grows by steps; what it leaves is used again: of four sizes in a row, two that were left stand beside one another and
 * hold the next.
 */
export const ringBytesFor = (count: number, rows: number): number =>
  3 * bytesOf(Math.max(grown(count), count + GROWTH_MIN)) + ID_RING_BYTES + rows * (ID_BYTES + 1)

const grown = (count: number): number => Math.min(RING_IDS_MOST, Math.ceil(count * GROWTH))
