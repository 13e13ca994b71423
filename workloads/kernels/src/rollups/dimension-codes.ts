import type { Width } from '../columns/chunk-layout.ts'
import type { ResidentSource } from '../plan/row-source.ts'
import type { Scratch } from '../plan/scratch.ts'
import type { Kernels, OptionalPointer, Pointer } from '../simd/kernels.ts'
import { KeyNumbers } from './key-numbers.ts'

export type DimensionType = 'string' | 'bool' | 'int64'

/** The values of one dimension in the rows of a bucket, as u32 codes: texts by their pool, integers as they appear. */
export class DimensionCodes {
  readonly name: string
  readonly type: DimensionType
  /** Code of null; all others are less. */
  readonly nullCode: number
  private readonly kernels: Kernels
  private readonly scratch: Scratch
  private readonly numbers: KeyNumbers | undefined
  private widest: Width = 1
  private integers: Float64Array | undefined

  /** `texts`: how many codes its pool has. More integers than `limit` are too many. Errors: TN_MEMORY_FULL. */
  constructor(
    { name, type, texts }: Readonly<{ name: string; type: DimensionType; texts: number }>,
    kernels: Kernels,
    scratch: Scratch,
    limit: number,
  ) {
    this.name = name
    this.type = type
    this.kernels = kernels
    this.scratch = scratch
    this.numbers = type === 'int64' ? new KeyNumbers(kernels, scratch, limit) : undefined
    this.nullCode = type === 'string' ? texts : type === 'bool' ? 2 : limit
  }

  /** Bytes of a value in a cell. */
  get width(): Width {
    return this.type === 'int64' ? 8 : this.widest
  }

  /** Writes the code of each row of a chunk to `out`; false when there are too many values. */
  write(source: ResidentSource, out: Pointer): boolean {
    const { chunk } = source.resident
    const n = source.rowCount
    const index = chunk.layout.indexOf(this.name)
    if (index === undefined) {
      this.scratch.wordsAt(out, n).fill(this.nullCode)
      return true
    }
    const [values, validity] = [chunk.valuesAt(index), chunk.validityAt(index)]
    if (this.numbers === undefined) {
      this.widen(values, validity, n, chunk.layout.columns[index]!.width, out)
      return true
    }
    if (!this.numbers.number(values, n, validity, out)) return false
    if (validity !== 0) this.kernels.groupInit32(out, validity, n, this.nullCode, out)
    return true
  }

  /** What stands in a column for each code but null; undefined: the code itself. Once all rows are written. */
  values(): Float64Array | undefined {
    if (this.numbers !== undefined) this.integers ??= asDoubles(this.numbers.halves())
    return this.integers
  }

  private widen(values: Pointer, validity: OptionalPointer, n: number, width: Width, out: Pointer): void {
    const { kernels, nullCode } = this
    if (width > this.widest) this.widest = width
    if (width === 1) kernels.groupInit8(values, validity, n, nullCode, out)
    else if (width === 2) kernels.groupInit16(values, validity, n, nullCode, out)
    else kernels.groupInit32(values, validity, n, nullCode, out)
  }
}

function asDoubles({ low, high }: ReturnType<KeyNumbers['halves']>): Float64Array {
  const words = new Uint32Array(2 * low.length)
  for (let number = 0; number < low.length; number++) {
    words[2 * number] = low[number]!
    words[2 * number + 1] = high[number]!
  }
  return new Float64Array(words.buffer)
}
