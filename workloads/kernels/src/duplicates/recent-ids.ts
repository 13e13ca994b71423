import { equalIds, hashId } from './hash-id.ts'

/** An entry of the table: eight bits of the hash, then the position in the log plus one; 0 = free. */
const POSITION_BITS = 24
const TAG_MASK = 2 ** (32 - POSITION_BITS) - 1
const POSITION_MASK = 2 ** POSITION_BITS - 1
/** Ids that one set can take. */
export const RECENT_IDS_MOST = POSITION_MASK - 1
/** Linear probing then looks at about four neighbours for a new id, all of one cache line. Source: Knuth, TAOCP 3, 6.4. */
const PLACES_AN_ID = 1.6
/** Free places behind the last home; ids that crowd there get more. */
const TAIL_PLACES = 16

/**
 * Ids in the order they came, and an open-addressing table over them. A home is hash × places / 2^32, so homes rise with the
 * hash and, there being no deletion and no wrapping around, a walk through the table meets the ids all but sorted: that is how
 * they become a run (recent-source.ts). An id's sequence number is `first` plus its position.
 * Cost: O(1) expected an id. Memory: 16 bytes in the log and 6.4 in the table for each id of `capacity`.
 */
export class RecentIds {
  readonly first: number
  readonly capacity: number
  readonly ids: Uint32Array
  index: Uint32Array
  count = 0
  private readonly places: number

  constructor(first: number, capacity: number) {
    this.first = first
    this.capacity = capacity
    this.ids = new Uint32Array(capacity * 4)
    this.places = Math.ceil(capacity * PLACES_AN_ID)
    this.index = new Uint32Array(this.places + TAIL_PLACES)
  }

  get next(): number {
    return this.first + this.count
  }
  get residentBytes(): number {
    return this.ids.byteLength + this.index.byteLength
  }

  /** Sequence number of the newest copy of the id; -1 = none here. */
  find(words: Uint32Array, at: number, hash: number): number {
    const { index, ids } = this
    let place = (hash * (this.places * 2 ** -32)) >>> 0
    for (let entry = index[place]!; entry !== 0; entry = index[++place]!) {
      if (entry >>> POSITION_BITS !== (hash & TAG_MASK)) continue
      const position = (entry & POSITION_MASK) - 1
      if (equalIds(ids, position * 4, words, at)) return this.first + position
    }
    return -1
  }

  /**
   * Fetches the places where these ids will be looked for, all at once, so that their cache misses overlap and `find` does
   * not wait for each. The answer means nothing; it is there so that the loads are.
   */
  touch(hashes: Uint32Array, rowCount: number): number {
    const { index } = this
    const scale = this.places * 2 ** -32
    let seen = 0
    for (let row = 0; row < rowCount; row++) seen ^= index[(hashes[row]! * scale) >>> 0]!
    return seen
  }

  /**
   * Judges rows from `from` on, as long as there is room: an id whose newest copy here has a sequence number below `head`, or
   * that is not here, is remembered; for any other the verdict becomes 1. Rows whose verdict is not 0 are left out. Answers
   * the first row that was not judged.
   */
  admit(words: Uint32Array, hashes: Uint32Array, verdicts: Uint8Array, from: number, head: number): number {
    const { ids, capacity, places, first } = this
    const scale = places * 2 ** -32
    let { index, count } = this
    let last = index.length - 1
    let row = from
    for (; row < verdicts.length && count < capacity; row++) {
      if (verdicts[row] !== 0) continue
      const at = row * 4
      const hash = hashes[row]!
      let place = (hash * scale) >>> 0
      let newest = -1
      for (let entry = index[place]!; entry !== 0; entry = index[++place]!) {
        if (entry >>> POSITION_BITS !== (hash & TAG_MASK)) continue
        const position = (entry & POSITION_MASK) - 1
        if (!equalIds(ids, position * 4, words, at)) continue
        newest = first + position
        break
      }
      if (newest >= head) {
        verdicts[row] = 1
        continue
      }
      ids[count * 4] = words[at]!
      ids[count * 4 + 1] = words[at + 1]!
      ids[count * 4 + 2] = words[at + 2]!
      ids[count * 4 + 3] = words[at + 3]!
      count += 1
      index[place] = ((hash & TAG_MASK) << POSITION_BITS) | count
      // The last place stays free: it ends every search.
      if (place < last) continue
      this.lengthen()
      index = this.index
      last = index.length - 1
    }
    this.count = count
    return row
  }

  /**
   * A set of another capacity that holds the ids from sequence number `from` on, none of which may be forgotten: of such ids no two
   * are equal, so none is compared.
   */
  copy(from: number, capacity: number): RecentIds {
    const copy = new RecentIds(from, capacity)
    this.copyIds(from, this.next, copy.ids, 0)
    copy.enterAll(this.next - from)
    return copy
  }

  /** Writes the words of the ids with sequence numbers [from, to) to `target`, from word `at` on. */
  copyIds(from: number, to: number, target: Uint32Array, at: number): void {
    target.set(this.ids.subarray((from - this.first) * 4, (to - this.first) * 4), at)
  }

  /** Enters the first `count` ids, which stand in the log already and of which no two are equal, into an empty table. */
  enterAll(count: number): void {
    const { ids } = this
    const scale = this.places * 2 ** -32
    this.count = count
    for (let position = 0; position < count; position++) {
      const hash = hashId(ids, position * 4)
      const { index } = this
      let place = (hash * scale) >>> 0
      while (index[place] !== 0) place += 1
      index[place] = ((hash & TAG_MASK) << POSITION_BITS) | (position + 1)
      if (place === index.length - 1) this.lengthen()
    }
  }

  /** Position of the entry in a place of the table; -1 = a free one. */
  positionAt(place: number): number {
    return (this.index[place]! & POSITION_MASK) - 1
  }

  private lengthen(): void {
    const longer = new Uint32Array(this.index.length * 2)
    longer.set(this.index)
    this.index = longer
  }
}
