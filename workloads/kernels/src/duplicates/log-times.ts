const CAPACITY_MIN = 32

/** What a log time adds to the mixes of its ids. */
export const timeMix = (timeUs: number): number => Math.imul(timeUs % 4_294_967_296, 0x27d4eb2f)

/** Consecutive ids of one log time: how many, and the two sums of their mixes. */
export type LogTimeSpans = Readonly<{ times: Float64Array; counts: Uint32Array; sums: Int32Array }>

/**
 * The log times of remembered ids, oldest first, run-length: ids of one record came at one time. Beside them the digest:
 * sums over what is remembered of two mixes of id and time, so equal windows have equal sums, kept at O(1) an id, and
 * a span that leaves takes its sums with it without its ids being looked at.
 * Cost: O(1) an id. Memory: 20 bytes a span (8 of time, 4 of count, 8 of sums), with at most four times the spans held.
 */
export class LogTimes {
  private times = new Float64Array(CAPACITY_MIN)
  private counts = new Uint32Array(CAPACITY_MIN)
  private sums = new Int32Array(CAPACITY_MIN * 2)
  /** Spans [head, tail); a place is the number modulo the capacity. */
  private head = 0
  private tail = 0
  private isCut = true
  private newest = 0
  private newestUs = 0
  private newestMix = 0
  private sumA = 0
  private sumB = 0

  get digest(): readonly [number, number] {
    return [this.sumA, this.sumB]
  }
  get residentBytes(): number {
    return this.times.byteLength + this.counts.byteLength + this.sums.byteLength
  }

  /** One more id, by its hash. */
  add(hash: number, timeUs: number): void {
    if (this.isCut || timeUs !== this.newestUs) this.push(timeUs)
    const { newest, sums } = this
    const mixed = hash ^ this.newestMix
    const further = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
    this.counts[newest]! += 1
    sums[newest * 2] = sums[newest * 2]! + mixed
    sums[newest * 2 + 1] = sums[newest * 2 + 1]! + further
    this.sumA = (this.sumA + mixed) | 0
    this.sumB = (this.sumB + further) | 0
  }

  /** The ids of rows [from, to) whose verdict is 0, of which there must be one. */
  addAll(hashes: Uint32Array, verdicts: Uint8Array, from: number, to: number, timeUs: number): void {
    const mix = timeMix(timeUs)
    let [count, a, b] = [0, 0, 0]
    for (let row = from; row < to; row++) {
      if (verdicts[row] !== 0) continue
      const mixed = hashes[row]! ^ mix
      count += 1
      a = (a + mixed) | 0
      b = (b + Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)) | 0
    }
    this.addSums(count, a, b, timeUs)
  }

  /** `count` ids, of which there must be one, by the sums of their mixes with `timeMix(timeUs)`. */
  addSums(count: number, sumA: number, sumB: number, timeUs: number): void {
    if (this.isCut || timeUs !== this.newestUs) this.push(timeUs)
    const { newest, sums } = this
    this.counts[newest]! += count
    sums[newest * 2] = sums[newest * 2]! + sumA
    sums[newest * 2 + 1] = sums[newest * 2 + 1]! + sumB
    this.sumA = (this.sumA + sumA) | 0
    this.sumB = (this.sumB + sumB) | 0
  }

  /** The next id opens a span even if it comes at the same time: ids before it go elsewhere, with spans of their own. */
  cut(): void {
    this.isCut = true
  }

  /** Forgets spans that are `windowUs` or more before `logTimeUs`; answers how many ids that were. */
  expire(logTimeUs: number, windowUs: number): number {
    const mask = this.times.length - 1
    let ids = 0
    for (; this.head < this.tail; this.head++) {
      const place = this.head & mask
      if (logTimeUs - this.times[place]! < windowUs) break
      ids += this.counts[place]!
      this.sumA = (this.sumA - this.sums[place * 2]!) | 0
      this.sumB = (this.sumB - this.sums[place * 2 + 1]!) | 0
    }
    if (this.head === this.tail) this.isCut = true
    let capacity = this.times.length
    while (capacity > CAPACITY_MIN && (this.tail - this.head) * 4 <= capacity) capacity /= 2
    if (capacity < this.times.length) this.resize(capacity)
    return ids
  }

  /**
   * Spans of the ids [from, to), counted from the oldest one remembered. A span that lies across an end is cut down to
   * what lies inside; its sums then are of the whole. Neighbours of one time are one where `joined` asks for it.
   */
  slice(from: number, to: number, joined: boolean): LogTimeSpans {
    const mask = this.times.length - 1
    const times: number[] = []
    const counts: number[] = []
    const sums: number[] = []
    let first = 0
    for (let span = this.head; span < this.tail && first < to; span++) {
      const place = span & mask
      const end = first + this.counts[place]!
      const count = Math.min(end, to) - Math.max(first, from)
      first = end
      if (count <= 0) continue
      const timeUs = this.times[place]!
      if (joined && times.at(-1) === timeUs) {
        counts[counts.length - 1]! += count
        continue
      }
      times.push(timeUs)
      counts.push(count)
      sums.push(this.sums[place * 2]!, this.sums[place * 2 + 1]!)
    }
    return { times: Float64Array.from(times), counts: Uint32Array.from(counts), sums: Int32Array.from(sums) }
  }

  /** Takes over spans that `slice` gave, behind those held, but for the first `skip` ids; answers how many ids that were. */
  restore({ times, counts, sums }: LogTimeSpans, skip: number): number {
    let before = 0
    let ids = 0
    for (let span = 0; span < times.length; span++) {
      const count = counts[span]!
      before += count
      if (before <= skip) continue
      ids += count
      this.push(times[span]!)
      this.counts[this.newest] = count
      this.sums[this.newest * 2] = sums[span * 2]!
      this.sums[this.newest * 2 + 1] = sums[span * 2 + 1]!
      this.sumA = (this.sumA + sums[span * 2]!) | 0
      this.sumB = (this.sumB + sums[span * 2 + 1]!) | 0
    }
    this.isCut = true
    return ids
  }

  private push(timeUs: number): void {
    if (this.tail - this.head === this.times.length) this.resize(this.times.length * 2)
    this.newest = this.tail & (this.times.length - 1)
    this.newestUs = timeUs
    this.newestMix = timeMix(timeUs)
    this.times[this.newest] = timeUs
    this.counts[this.newest] = 0
    this.sums.fill(0, this.newest * 2, this.newest * 2 + 2)
    this.tail += 1
    this.isCut = false
  }

  private resize(capacity: number): void {
    const { times, counts, sums } = this
    const [old, mask] = [times.length - 1, capacity - 1]
    this.times = new Float64Array(capacity)
    this.counts = new Uint32Array(capacity)
    this.sums = new Int32Array(capacity * 2)
    for (let span = this.head; span < this.tail; span++) {
      this.times[span & mask] = times[span & old]!
      this.counts[span & mask] = counts[span & old]!
      this.sums[(span & mask) * 2] = sums[(span & old) * 2]!
      this.sums[(span & mask) * 2 + 1] = sums[(span & old) * 2 + 1]!
    }
    this.newest = (this.tail - 1) & mask
  }
}
