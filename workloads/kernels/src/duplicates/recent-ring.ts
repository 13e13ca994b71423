import assert from 'node:assert/strict'
import { firstWordOf } from './hash-id.ts'
import { RecentIds } from './recent-ids.ts'

/** Ids that a ring can take: a link is 16 bits, slot plus one; 0 = none. */
export const RING_IDS_MOST = 2 ** 16 - 1
/** A new id is compared with about as many as share a chain. */
const IDS_A_CHAIN = 2
/** A full ring grows by this much, and by no less than a few: what stands empty counts for each id. */
const GROWTH = 1.03125
const GROWTH_MIN = 16
/** A ring shrinks once so many of its ids have left. */
const SHRINK_PART = 1 / 2

/**
 * Ids in the order they came, in a ring, and chains of those with one part of the hash, from the newest to the oldest: the ids of a
 * window that needs no runs. Forgetting an id takes nothing: a chain ends where a link leads to a slot that is not held, or is
 * held by a newer id than the one before, for what was there has been forgotten, and so has all that is older. In place of an id's
 * first word stands its hash, of which the word can be told again: one look tells ids apart, and sixteen hashes share a line.
 * Cost: O(1) expected an id. Memory: 16 bytes in the ring and 3 for chains for each id of `capacity`, which is hardly larger than
 * what is remembered. Source: the window of deflate (RFC 1951, 4; Gailly and Adler).
 */
export class RecentRing {
  /** Sequence number of the oldest id. */
  first: number
  count = 0
  /** By slot: the id's hash, and its three last words. */
  private hashes: Uint32Array
  private rests: Uint32Array
  /** Where each chain begins, and by slot where it goes on. */
  private newest: Uint16Array
  private older: Uint16Array
  /** Where the oldest id lies. */
  private start = 0

  constructor(first: number, capacity: number) {
    assert(capacity >= 1 && capacity <= RING_IDS_MOST, 'slots of a ring have 16 bits')
    this.first = first
    this.hashes = new Uint32Array(capacity)
    this.rests = new Uint32Array(capacity * 3)
    this.newest = new Uint16Array(Math.ceil(capacity / IDS_A_CHAIN))
    this.older = new Uint16Array(capacity)
  }

  get next(): number {
    return this.first + this.count
  }
  get capacity(): number {
    return this.hashes.length
  }
  get residentBytes(): number {
    const { hashes, rests, newest, older } = this
    return hashes.byteLength + rests.byteLength + newest.byteLength + older.byteLength
  }

  /**
   * Fetches what these ids will first be compared with, all at once, so that their cache misses overlap and `admit` does not wait
   * for each. The answer means nothing; it is there so that the loads are.
   */
  touch(hashes: Uint32Array, rowCount: number): number {
    const { hashes: held, newest, older } = this
    const scale = newest.length * 2 ** -32
    let seen = 0
    for (let row = 0; row < rowCount; row++) {
      const link = newest[(hashes[row]! * scale) >>> 0]! || 1
      seen ^= held[link - 1]! ^ older[link - 1]!
    }
    return seen
  }

  /**
   * Judges rows from `from` on, as long as there is room: an id that is not here is remembered; for any other the verdict becomes
   * 1. Rows whose verdict is not 0 are left out. Answers the first row that was not judged.
   */
  admit(words: Uint32Array, hashes: Uint32Array, verdicts: Uint8Array, from: number): number {
    const { hashes: held, rests, newest, older, capacity, start } = this
    const scale = newest.length * 2 ** -32
    let { count } = this
    let row = from
    for (; row < verdicts.length && count < capacity; row++) {
      if (verdicts[row] !== 0) continue
      const at = row * 4
      const hash = hashes[row]!
      const chain = (hash * scale) >>> 0
      const head = newest[chain]!
      let isHeld = false
      for (let link = head, age = count; link !== 0 && !isHeld; link = older[link - 1]!) {
        const ahead = link - 1 - start
        const place = ahead < 0 ? ahead + capacity : ahead
        if (place >= age) break
        age = place
        isHeld = held[link - 1] === hash && isRest(rests, (link - 1) * 3, words, at + 1)
      }
      if (isHeld) {
        verdicts[row] = 1
        continue
      }
      const slot = start + count < capacity ? start + count : start + count - capacity
      held[slot] = hash
      rests[slot * 3] = words[at + 1]!
      rests[slot * 3 + 1] = words[at + 2]!
      rests[slot * 3 + 2] = words[at + 3]!
      older[slot] = head
      newest[chain] = slot + 1
      count += 1
    }
    this.count = count
    return row
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
    this.start = (this.start + gone) % this.capacity
    this.first += gone
    this.count = left
  }

  /** Room for some more ids, `capacityMax` at most; false when it has that already. */
  grow(capacityMax: number): boolean {
    const capacity = Math.min(
      capacityMax,
      RING_IDS_MOST,
      Math.max(grown(this.capacity), this.capacity + GROWTH_MIN),
    )
    if (capacity <= this.capacity) return false
    this.resize(capacity, 0)
    return true
  }

  /** Writes the words of the ids with sequence numbers [from, to) to `target`, from word `at` on. */
  copyIds(from: number, to: number, target: Uint32Array, at: number): void {
    const { hashes, rests, capacity, start, first } = this
    for (let sequence = from, word = at; sequence < to; sequence++, word += 4) {
      const slot = (start + sequence - first) % capacity
      const [second, third, fourth] = [rests[slot * 3]!, rests[slot * 3 + 1]!, rests[slot * 3 + 2]!]
      target[word] = firstWordOf(hashes[slot]!, second, third, fourth)
      target[word + 1] = second
      target[word + 2] = third
      target[word + 3] = fourth
    }
  }

  /** The same ids as a set that can become a run, with no room for more. */
  toSet(): RecentIds {
    const set = new RecentIds(this.first, this.count)
    this.copyIds(this.first, this.next, set.ids, 0)
    set.enterAll(this.count)
    return set
  }

  private resize(capacity: number, gone: number): void {
    const { hashes, rests, start, capacity: before } = this
    this.hashes = new Uint32Array(capacity)
    this.rests = new Uint32Array(capacity * 3)
    this.newest = new Uint16Array(Math.ceil(capacity / IDS_A_CHAIN))
    this.older = new Uint16Array(capacity)
    this.first += gone
    this.count -= gone
    this.start = 0
    const scale = this.newest.length * 2 ** -32
    for (let slot = 0; slot < this.count; slot++) {
      const from = (start + gone + slot) % before
      const chain = (hashes[from]! * scale) >>> 0
      this.hashes[slot] = hashes[from]!
      for (let word = 0; word < 3; word++) this.rests[slot * 3 + word] = rests[from * 3 + word]!
      this.older[slot] = this.newest[chain]!
      this.newest[chain] = slot + 1
    }
  }
}

const isRest = (rests: Uint32Array, left: number, words: Uint32Array, right: number): boolean =>
  rests[left] === words[right] && rests[left + 1] === words[right + 1] && rests[left + 2] === words[right + 2]

const grown = (count: number): number => Math.min(RING_IDS_MOST, Math.ceil(count * GROWTH))
