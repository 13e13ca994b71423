import { isValid } from '@truenow/contracts/wire/column.ts'
import type { Width } from '../columns/chunk-layout.ts'
import type { ResidentSource } from '../plan/row-source.ts'
import type { Scratch } from '../plan/scratch.ts'
import type { Kernels, Pointer } from '../simd/kernels.ts'
import { KeyNumbers } from './key-numbers.ts'

/** Code of null, of every type; texts and values of one bucket are fewer. */
export const NULL_CODE = 2 ** 32 - 1

export type DimensionType = 'string' | 'bool' | 'int64'

/** The values of one dimension in the rows of a bucket, as u32 codes: texts by their pool, integers as they appear. */
export class DimensionCodes {
  readonly name: string
  readonly type: DimensionType
  private readonly scratch: Scratch
  private readonly numbers: KeyNumbers | undefined
  private widest: Width = 1
  private integers: Float64Array | undefined

  /** More integers than `limit` are too many. Errors: TN_MEMORY_FULL. */
  constructor(name: string, type: DimensionType, kernels: Kernels, scratch: Scratch, limit: number) {
    this.name = name
    this.type = type
    this.scratch = scratch
    this.numbers = type === 'int64' ? new KeyNumbers(kernels, scratch, limit) : undefined
  }

  /** Bytes of a value in a cell. */
  get width(): Width {
    return this.type === 'int64' ? 8 : this.widest
  }

  /** Writes the code of each row of a chunk to `out`; false when there are too many values. */
  write(source: ResidentSource, out: Pointer): boolean {
    const { chunk } = source.resident
    const n = source.rowCount
    const target = this.scratch.wordsAt(out, n)
    const index = chunk.layout.indexOf(this.name)
    if (index === undefined) {
      target.fill(NULL_CODE)
      return true
    }
    const { width, hasValidity } = chunk.layout.columns[index]!
    if (this.numbers === undefined) {
      if (width > this.widest) this.widest = width
      target.set(chunk.values(index).subarray(0, n))
    } else {
      const values = chunk.valuesAt(index)
      const validity = chunk.validityAt(index)
      if (!this.numbers.number(values, n, validity, out)) return false
    }
    const column = hasValidity ? source.column(this.name) : undefined
    if (column === undefined) return true
    for (let row = 0; row < n; row++) if (!isValid(column, row)) target[row] = NULL_CODE
    return true
  }

  /** What stands in a column for each code but null: the code itself, or the integer behind it. Once all rows are written. */
  values(): (code: number) => number {
    if (this.numbers === undefined) return (code) => code
    this.integers ??= asDoubles(this.numbers.halves())
    const { integers } = this
    return (code) => integers[code]!
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
