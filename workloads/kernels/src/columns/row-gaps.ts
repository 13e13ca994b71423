/** A stretch of so many rows, behind which another stretch goes on; also a gap that a byte cannot tell. */
const WIDE = 255
const WIDE_GAP_BYTES = 8
const CAPACITY_MIN = 16
const GROWTH = 1.5

/**
 * Where rows of a chunk do not follow one another in the log: duplicates and rows of other buckets lie between. As bytes: how many
 * rows follow one another, then how many of the log lie before the next one, and so on; 255 rows have no gap behind them, and what
 * is 255 or more of a gap stands beside as the number of the row behind it, above the chunk's first. Only ever longer, so
 * whoever knows how many rows there were may go on reading.
 * Cost: O(1) a row. Memory: two bytes a gap, ten for a wide one, one for 255 rows without.
 */
export class RowGaps {
  private bytes = new Uint8Array(CAPACITY_MIN)
  private length = 0
  private readonly wide: number[] = []
  /** Rows since the last gap. */
  private stretch = 0

  get residentBytes(): number {
    return this.bytes.length + this.wide.length * WIDE_GAP_BYTES
  }

  /** One more row, number `offset` above the first: `gap` rows of the log, at least one, lie between it and the one before it. */
  add(gap: number, offset: number): void {
    this.push(this.stretch)
    this.push(Math.min(gap, WIDE))
    if (gap >= WIDE) this.wide.push(offset)
    this.stretch = 0
  }

  /** So many more rows that follow the one before; the first of all follows too. */
  addFollowing(rows: number): void {
    this.stretch += rows
    for (; this.stretch >= WIDE; this.stretch -= WIDE) this.push(WIDE)
  }

  /** Numbers in log order of the first rows of a chunk whose first row is number `first`, as many as there is room for. Cost: O(rows). */
  write(numbers: Float64Array, first: number): void {
    let [number, row, at, wide] = [first - 1, 0, 0, 0]
    while (row < numbers.length) {
      const stretch = at < this.length ? this.bytes[at++]! : numbers.length
      const end = Math.min(numbers.length, row + stretch)
      while (row < end) numbers[row++] = ++number
      if (stretch === WIDE || row === numbers.length) continue
      const gap = this.bytes[at++]!
      number = gap === WIDE ? first + this.wide[wide++]! : number + gap + 1
      numbers[row++] = number
    }
  }

  private push(byte: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(Math.ceil(this.length * GROWTH))
      larger.set(this.bytes)
      this.bytes = larger
    }
    this.bytes[this.length++] = byte
  }
}
