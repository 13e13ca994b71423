const CAPACITY_MIN = 64

/**
 * Ids remembered for a span of log time, exactly: an open-addressing table over a ring of ids in the order they came. Log
 * time never goes back, so the oldest stand at the ring's head, and expiry is a walk from there.
 * Cost: O(1) expected an id. Memory: 24 bytes a place in the ring, 8 in the table beside it; places are at most four times
 * the ids held, so that a burst gives back what it took when it has left the window.
 */
export class IdWindow {
  private ids = new Uint32Array(4 * CAPACITY_MIN)
  private times = new Float64Array(CAPACITY_MIN)
  private table = new Int32Array(2 * CAPACITY_MIN).fill(-1)
  /** Sequence numbers; a ring position is the number modulo the capacity. */
  private head = 0
  private tail = 0
  /** Sums over what is remembered of two mixes of id and time: equal windows have equal sums, kept up at O(1) an id. */
  private sumA = 0
  private sumB = 0

  get size(): number {
    return this.tail - this.head
  }
  get firstSequence(): number {
    return this.head
  }
  get nextSequence(): number {
    return this.tail
  }
  get residentBytes(): number {
    return this.ids.byteLength + this.times.byteLength + this.table.byteLength
  }

  /** Digest of the remembered ids with their times; depends on what is held, not on how it came to be held. */
  get digest(): readonly [number, number] {
    return [this.sumA, this.sumB]
  }

  /** Forgets ids whose first copy came `windowUs` or more before `logTimeUs`. */
  expire(logTimeUs: number, windowUs: number): void {
    const mask = this.times.length - 1
    while (this.head < this.tail && logTimeUs - this.times[this.head & mask]! >= windowUs) {
      this.remove(this.head & mask)
      this.count(this.head & mask, -1)
      this.head += 1
    }
    let capacity = this.times.length
    while (capacity > CAPACITY_MIN && this.size * 4 <= capacity) capacity /= 2
    if (capacity < this.times.length) this.resize(capacity)
  }

  /** True when the id is new, and then it is remembered. `words` holds its four words from `at` on. */
  add(words: Uint32Array, at: number, logTimeUs: number): boolean {
    if (this.size === this.times.length) this.resize(this.times.length * 2)
    const mask = this.table.length - 1
    let place = hash(words, at) & mask
    for (let ring = this.table[place]!; ring >= 0; place = (place + 1) & mask, ring = this.table[place]!) {
      if (this.equals(ring, words, at)) return false
    }
    const ring = this.tail & (this.times.length - 1)
    this.ids.set(words.subarray(at, at + 4), ring * 4)
    this.times[ring] = logTimeUs
    this.table[place] = ring
    this.tail += 1
    this.count(ring, 1)
    return true
  }

  /** Ids [from, to) by sequence number, as words and times; for snapshots and state hashes. */
  slice(from: number, to: number): { ids: Uint32Array; times: Float64Array } {
    const mask = this.times.length - 1
    const ids = new Uint32Array((to - from) * 4)
    const times = new Float64Array(to - from)
    for (let sequence = from; sequence < to; sequence++) {
      const ring = sequence & mask
      ids.set(this.ids.subarray(ring * 4, ring * 4 + 4), (sequence - from) * 4)
      times[sequence - from] = this.times[ring]!
    }
    return { ids, times }
  }

  /**
   * Takes over what `slice` gave. On an empty window it begins at sequence number `from`, which is part of the state
   * also when nothing is remembered; else `from` goes on where the last one ended.
   */
  restore(from: number, ids: Uint32Array, times: Float64Array): void {
    if (this.tail === this.head) {
      this.head = from
      this.tail = from
    }
    for (let index = 0; index < times.length; index++) this.add(ids, index * 4, times[index]!)
  }

  private count(ring: number, sign: 1 | -1): void {
    const time = this.times[ring]!
    const mixed = hash(this.ids, ring * 4) ^ Math.imul(time % 4_294_967_296, 0x27d4eb2f)
    this.sumA = (this.sumA + sign * mixed) | 0
    this.sumB = (this.sumB + sign * Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)) | 0
  }

  private equals(ring: number, words: Uint32Array, at: number): boolean {
    const { ids } = this
    const own = ring * 4
    return (
      ids[own] === words[at] &&
      ids[own + 1] === words[at + 1] &&
      ids[own + 2] === words[at + 2] &&
      ids[own + 3] === words[at + 3]
    )
  }

  /** Takes a ring position out of the table. Source: Knuth, TAOCP 3, 6.4, algorithm R (deletion with linear probing). */
  private remove(ring: number): void {
    const mask = this.table.length - 1
    let hole = hash(this.ids, ring * 4) & mask
    while (this.table[hole] !== ring) hole = (hole + 1) & mask
    let place = hole
    for (;;) {
      place = (place + 1) & mask
      const next = this.table[place]!
      if (next < 0) break
      const home = hash(this.ids, next * 4) & mask
      // Moves back only what the hole cuts off from its home, going round the end of the table.
      const reachable = hole <= place ? hole < home && home <= place : hole < home || home <= place
      if (reachable) continue
      this.table[hole] = next
      hole = place
    }
    this.table[hole] = -1
  }

  private resize(capacity: number): void {
    const { ids, times } = this.slice(this.head, this.tail)
    this.ids = new Uint32Array(capacity * 4)
    this.times = new Float64Array(capacity)
    this.table = new Int32Array(capacity * 2).fill(-1)
    const mask = capacity - 1
    const tableMask = this.table.length - 1
    for (let index = 0; index < times.length; index++) {
      const ring = (this.head + index) & mask
      this.ids.set(ids.subarray(index * 4, index * 4 + 4), ring * 4)
      this.times[ring] = times[index]!
      let place = hash(this.ids, ring * 4) & tableMask
      while (this.table[place]! >= 0) place = (place + 1) & tableMask
      this.table[place] = ring
    }
  }
}

/** Mixes all four words: short ids differ in few bytes. Source: the finalizer of MurmurHash3 (Appleby), applied once. */
function hash(words: Uint32Array, at: number): number {
  let mixed = words[at]! ^ Math.imul(words[at + 1]!, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16) ^ words[at + 2]!, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ words[at + 3]!, 0x9e3779b1)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
