const CELLS_A_BUCKET = 4
/** Source: Fan et al. (below), §5: buckets of four reach 95 % before insertions fail. */
const LOAD_MAX = 0.95
const KICKS_MAX = 500
/** Fingerprints that found no place, kept in a list; beyond these the filter answers "maybe" to everything. */
const HOMELESS_MAX = 16
/** Of both halves of a word: their lowest bits, and their highest. */
const ONES = 0x10001
const TOPS = 0x80008000
/** Odd, so that fingerprints have partners all over the filter. Source: MurmurHash2 (Appleby). */
const SPREAD = 0x5bd1e995

/** Rows to look up, and room for what becomes of them: their buckets, and the rows that may be held. */
export type FilterRows = Readonly<{
  hashes: Uint32Array
  fingerprints: Uint16Array
  firsts: Int32Array
  seconds: Int32Array
  candidates: Uint32Array
}>
export function createFilterRows(rows: number): FilterRows {
  return {
    hashes: new Uint32Array(rows),
    fingerprints: new Uint16Array(rows),
    firsts: new Int32Array(rows),
    seconds: new Int32Array(rows),
    candidates: new Uint32Array(rows),
  }
}

/**
 * Which ids a run may hold, from 16 bits an id. `mayHold` is false only for what was never inserted; for such an id it is
 * true with a probability of at most 2 × 4 / 65,535 = 0.0122 %.
 * Shapes: `cells` has two words a bucket, four fingerprints of 16 bits; 0 = free. Nothing is ever taken out, so equal
 *         fingerprints of one bucket share a cell, and a crowd of ids with equal hashes fills none.
 * Errors: none. An insertion that fails goes to `homeless`, and when that is full the filter is `saturated`: slow, not wrong.
 * Cost:   at most two cache misses a lookup; about 2.1 bytes an id.
 * Source: Fan, Andersen, Kaminsky, Mitzenmacher, "Cuckoo Filter: Practically Better Than Bloom", CoNEXT 2014, pp. 75-88:
 *         algorithms 1 and 2 in §3, the bound on false positives in §5.1. There the other bucket is bucket XOR
 *         hash(fingerprint), which wants a power of two; here hash(fingerprint) - bucket modulo any number, which is its
 *         own inverse too, so that no run pays for the next power of two.
 */
export class CuckooFilter {
  readonly cells: Uint32Array
  readonly homeless: number[]
  saturated: boolean
  private readonly fingerprints: Uint16Array
  private readonly signed: Int32Array
  private readonly buckets: number
  private turn = 0

  constructor(cells: Uint32Array, homeless: readonly number[] = [], saturated = false) {
    this.cells = cells
    this.fingerprints = new Uint16Array(cells.buffer, cells.byteOffset, cells.length * 2)
    this.signed = new Int32Array(cells.buffer, cells.byteOffset, cells.length)
    this.buckets = cells.length / 2
    this.homeless = [...homeless]
    this.saturated = saturated
  }

  static forEntries(entries: number): CuckooFilter {
    const buckets = Math.ceil(entries / (CELLS_A_BUCKET * LOAD_MAX)) + 1
    return new CuckooFilter(new Uint32Array(buckets * 2))
  }

  get residentBytes(): number {
    return this.cells.byteLength + this.homeless.length * 8
  }

  insert(hash: number, fingerprint: number): void {
    let bucket = this.home(hash)
    if (this.put(bucket, fingerprint)) return
    bucket = this.partner(bucket, fingerprint)
    let evicted = fingerprint
    for (let kick = 0; kick < KICKS_MAX; kick++) {
      if (this.put(bucket, evicted)) return
      // Weyl's sequence by the golden ratio: turns that no pattern of ids follows, and the same on every machine.
      this.turn = (this.turn + 0x9e3779b9) | 0
      const cell = bucket * CELLS_A_BUCKET + (this.turn >>> 30)
      const next = this.fingerprints[cell]!
      this.fingerprints[cell] = evicted
      evicted = next
      bucket = this.partner(bucket, evicted)
    }
    if (this.put(bucket, evicted)) return
    if (this.homeless.length < HOMELESS_MAX) this.homeless.push(evicted)
    else this.saturated = true
  }

  mayHold(hash: number, fingerprint: number): boolean {
    const { cells } = this
    const pattern = Math.imul(fingerprint, ONES)
    const first = this.home(hash)
    if (holds(cells[first * 2]!, pattern) || holds(cells[first * 2 + 1]!, pattern)) return true
    const second = this.partner(first, fingerprint)
    if (holds(cells[second * 2]!, pattern) || holds(cells[second * 2 + 1]!, pattern)) return true
    return this.isHomeless(fingerprint)
  }

  /**
   * Writes the numbers of the rows that may be held to `candidates` and answers how many. `mayHold` written out in two loops
   * without a branch between their loads: those of the rows to come do not wait, and their cache misses overlap. Buckets
   * are worked out before, because numbers that pass through floating point hold the loads up.
   */
  collect(rows: FilterRows, rowCount: number): number {
    const { hashes, fingerprints, candidates, firsts, seconds } = rows
    const { buckets } = this
    const scale = buckets * 2 ** -32
    for (let row = 0; row < rowCount; row++) {
      const first = (hashes[row]! * scale) >>> 0
      const second = (((Math.imul(fingerprints[row]!, SPREAD) >>> 0) * scale) >>> 0) - first
      firsts[row] = first
      seconds[row] = second < 0 ? second + buckets : second
    }
    const { signed } = this
    const isPlain = !this.saturated && this.homeless.length === 0
    let found = 0
    for (let row = 0; row < rowCount; row++) {
      const pattern = Math.imul(fingerprints[row]!, ONES)
      const [first, second] = [firsts[row]! << 1, seconds[row]! << 1]
      const a = signed[first]! ^ pattern
      const b = signed[first + 1]! ^ pattern
      const c = signed[second]! ^ pattern
      const d = signed[second + 1]! ^ pattern
      const zeros = (((a - ONES) | 0) & ~a) | (((b - ONES) | 0) & ~b) | (((c - ONES) | 0) & ~c) | (((d - ONES) | 0) & ~d) // biome-ignore format: one line
      if ((zeros & TOPS) !== 0 || (!isPlain && this.isHomeless(fingerprints[row]!))) candidates[found++] = row
    }
    return found
  }

  /** hash × buckets / 2^32: any number of buckets, and rising with the hash, so that sorted ids are inserted in passing. */
  private home(hash: number): number {
    return (hash * (this.buckets * 2 ** -32)) >>> 0
  }

  private partner(bucket: number, fingerprint: number): number {
    const other = this.home(Math.imul(fingerprint, SPREAD) >>> 0) - bucket
    return other < 0 ? other + this.buckets : other
  }

  private isHomeless(fingerprint: number): boolean {
    return this.saturated || this.homeless.includes(fingerprint)
  }

  private put(bucket: number, fingerprint: number): boolean {
    const { fingerprints } = this
    const cell = bucket * CELLS_A_BUCKET
    const a = fingerprints[cell]!
    const b = fingerprints[cell + 1]!
    const c = fingerprints[cell + 2]!
    const d = fingerprints[cell + 3]!
    if (a === fingerprint || b === fingerprint || c === fingerprint || d === fingerprint) return true
    if (d !== 0) return false
    // Cells are taken from the first on, and never given back.
    fingerprints[cell + (a === 0 ? 0 : b === 0 ? 1 : c === 0 ? 2 : 3)] = fingerprint
    return true
  }
}

/**
 * Whether one of the two fingerprints in `cell` is the one that `pattern` repeats. Source: Warren, Hacker's Delight, 2nd
 * edition, 6-1, "Find First 0-Byte", for halves instead of bytes; exact in whether there is one.
 */
function holds(cell: number, pattern: number): boolean {
  const difference = cell ^ pattern
  return (((difference - ONES) | 0) & ~difference & TOPS) !== 0
}
