import type { ColumnType } from '@truenow/contracts/table-definition.ts'

/** Bytes a row takes in one column: codes of 1, 2 or 4, ids of 16, numbers of 8, booleans of 1. */
export type Width = 1 | 2 | 4 | 8 | 16
export type LayoutColumn = Readonly<{
  name: string
  type: ColumnType
  width: Width
  /** A bitmap of validity stands before the values. Only once a null occurred. */
  hasValidity: boolean
}>

/** How many columns of each width, ids and times included, and how many bitmaps. */
type Before = Record<Width | 'bitmaps', number>
const WIDTHS: readonly Width[] = [1, 2, 4, 8, 16]
const ID_BYTES = 16
/** Kernels read whole vectors. */
const VECTOR_BYTES = 16

/**
 * Where things stand in a chunk of `capacity` rows: ids, event times, then each column, every one at a whole vector. One allocation holds a whole chunk, so that thousands of quiet slots cost one small run each. Layouts are never
 * changed, and shared: following the same steps gives the same object. Cells of a rollup have neither ids nor row numbers.
 */
export class ChunkLayout {
  readonly columns: readonly LayoutColumn[]
  /** 4: µs above the bucket's start, unsigned; 8: µs since 1970 as doubles, for buckets wider than 2^32 µs. */
  readonly timeWidth: 4 | 8
  private readonly places = new Map<string, number>()
  /** What stands before column i; the last entry: before the end. */
  private readonly before: Before[] = []
  private readonly next = new Map<string, ChunkLayout>()
  private readonly ofCells: boolean

  constructor(timeWidth: 4 | 8, columns: readonly LayoutColumn[] = [], ofCells = false) {
    this.timeWidth = timeWidth
    this.columns = columns
    this.ofCells = ofCells
    const before: Before = {
      1: 0,
      2: 0,
      4: timeWidth === 4 ? 1 : 0,
      8: timeWidth === 8 ? 1 : 0,
      16: ofCells ? 0 : 1,
      bitmaps: 0,
    }
    for (const [index, { name, width, hasValidity }] of columns.entries()) {
      this.places.set(name, index)
      this.before.push({ ...before })
      before[width] += 1
      if (hasValidity) before.bitmaps += 1
    }
    this.before.push(before)
  }

  /** Index of a column; undefined when chunks of this layout do not have it. */
  indexOf(name: string): number | undefined {
    return this.places.get(name)
  }

  bytesOf(capacity: number): number {
    return this.validityAt(this.columns.length, capacity)
  }

  /** Bytes from the start of the chunk. */
  timesAt(capacity: number): number {
    return this.ofCells ? 0 : vectors(capacity * ID_BYTES)
  }
  validityAt(index: number, capacity: number): number {
    const before = this.before[index]!
    let bytes = before.bitmaps * bitmapBytes(capacity)
    for (const width of WIDTHS) bytes += before[width] * vectors(capacity * width)
    return bytes
  }
  valuesAt(index: number, capacity: number): number {
    const { hasValidity } = this.columns[index]!
    return this.validityAt(index, capacity) + (hasValidity ? bitmapBytes(capacity) : 0)
  }

  /** This layout with the column as given: added at the end, or in place of the one of its name. */
  with(column: LayoutColumn): ChunkLayout {
    const { name, type, width, hasValidity } = column
    const step = `${name} ${type} ${width} ${hasValidity}`
    let layout = this.next.get(step)
    if (layout === undefined) {
      const index = this.places.get(name)
      const columns = index === undefined ? [...this.columns, column] : this.columns.with(index, column)
      layout = new ChunkLayout(this.timeWidth, columns, this.ofCells)
      this.next.set(step, layout)
    }
    return layout
  }
}

const vectors = (bytes: number): number => Math.ceil(bytes / VECTOR_BYTES) * VECTOR_BYTES

/** Bytes of a bitmap over `rows` rows, whole vectors. */
export const bitmapBytes = (rows: number): number => vectors(rows / 8)

/** Empty layouts, where every bucket begins. */
export const NARROW_TIMES = new ChunkLayout(4)
export const WIDE_TIMES = new ChunkLayout(8)
export const NARROW_TIMES_OF_CELLS = new ChunkLayout(4, [], true)
export const WIDE_TIMES_OF_CELLS = new ChunkLayout(8, [], true)
