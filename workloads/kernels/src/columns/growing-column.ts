import type { ColumnType } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'

const CAPACITY_MIN = 64

/**
 * A column that rows are appended to. A view is a frozen look at its first rows: growing copies into a larger array and
 * never touches rows that were appended, so a query goes on over its view while blocks arrive.
 * Cost: amortised O(1) a row. Memory: at most twice the values. Units: those of the column.
 */
export class GrowingColumn {
  readonly type: ColumnType
  private length = 0
  private numbers: Float64Array | undefined
  private bytes: Uint8Array | undefined
  private codes: Uint32Array | undefined
  private validity: Uint8Array | undefined
  private readonly dictionary: string[] = []
  private readonly codeOf = new Map<string, number>()

  constructor(type: ColumnType) {
    this.type = type
    if (type === 'string') this.codes = new Uint32Array(CAPACITY_MIN)
    else if (type === 'bool') this.bytes = new Uint8Array(CAPACITY_MIN)
    else this.numbers = new Float64Array(CAPACITY_MIN)
  }

  /** Appends rows `rows` of `source`, which has this column's type. */
  append(source: Column, rows: Uint32Array, rowCount: number): void {
    this.reserve(rowCount)
    const at = this.length
    if (source.type === 'string' && this.codes !== undefined) {
      const translated = new Int32Array(source.dictionary.length).fill(-1)
      for (let index = 0; index < rowCount; index++) {
        const code = source.codes[rows[index]!]!
        let own = translated[code]!
        if (own < 0) {
          own = this.intern(source.dictionary[code] ?? '')
          translated[code] = own
        }
        this.codes[at + index] = own
      }
    } else if (source.type === 'bool' && this.bytes !== undefined) {
      for (let index = 0; index < rowCount; index++) this.bytes[at + index] = source.values[rows[index]!]!
    } else if (this.numbers !== undefined) {
      const values = source as Extract<Column, { values: Float64Array }>
      for (let index = 0; index < rowCount; index++) this.numbers[at + index] = values.values[rows[index]!]!
    }
    if (source.validity !== undefined || this.validity !== undefined)
      this.appendValidity(source, rows, rowCount)
    this.length += rowCount
  }

  /** Appends `rowCount` nulls: rows of a table version that did not have this column yet. */
  appendNulls(rowCount: number): void {
    if (rowCount === 0) return // Else a column without a null would carry a bitmap that every query looks at.
    this.reserve(rowCount)
    const validity = this.ownValidity()
    for (let row = this.length; row < this.length + rowCount; row++) validity[row >>> 3]! &= ~(1 << (row & 7))
    if (this.type === 'string') this.intern('')
    this.length += rowCount
  }

  /** The first `rowCount` rows, as they are and stay. */
  view(): Column {
    const validity = this.validity === undefined ? {} : { validity: this.validity }
    if (this.codes !== undefined)
      return { type: 'string', codes: this.codes, dictionary: this.dictionary, ...validity }
    if (this.bytes !== undefined) return { type: 'bool', values: this.bytes, ...validity }
    const type = this.type as 'int64' | 'float64' | 'timestamp'
    return { type, values: this.numbers ?? new Float64Array(0), ...validity }
  }

  /** Bytes held: arrays as allocated, and the dictionary's text estimated at two bytes a character and 48 an entry. */
  get residentBytes(): number {
    const arrays =
      (this.numbers?.byteLength ?? 0) + (this.bytes?.byteLength ?? 0) + (this.codes?.byteLength ?? 0)
    return arrays + (this.validity?.byteLength ?? 0) + this.textBytes
  }
  private textBytes = 0

  private intern(text: string): number {
    let code = this.codeOf.get(text)
    if (code === undefined) {
      code = this.dictionary.length
      this.codeOf.set(text, code)
      this.dictionary.push(text)
      this.textBytes += 48 + 2 * text.length
    }
    return code
  }

  private appendValidity(source: Column, rows: Uint32Array, rowCount: number): void {
    const validity = this.ownValidity()
    for (let index = 0; index < rowCount; index++) {
      const row = this.length + index
      const from = rows[index]!
      const valid = source.validity === undefined || ((source.validity[from >>> 3]! >>> (from & 7)) & 1) === 1
      if (valid) validity[row >>> 3]! |= 1 << (row & 7)
      else validity[row >>> 3]! &= ~(1 << (row & 7))
    }
  }

  private ownValidity(): Uint8Array {
    this.validity ??= new Uint8Array(Math.ceil(this.capacity / 8)).fill(255)
    return this.validity
  }

  private get capacity(): number {
    return (this.numbers ?? this.bytes ?? this.codes)?.length ?? 0
  }

  private reserve(rowCount: number): void {
    const needed = this.length + rowCount
    if (needed <= this.capacity) return
    let capacity = this.capacity
    while (capacity < needed) capacity *= 2
    if (this.numbers !== undefined) this.numbers = grown(this.numbers, new Float64Array(capacity))
    if (this.bytes !== undefined) this.bytes = grown(this.bytes, new Uint8Array(capacity))
    if (this.codes !== undefined) this.codes = grown(this.codes, new Uint32Array(capacity))
    if (this.validity !== undefined)
      this.validity = grown(this.validity, new Uint8Array(Math.ceil(capacity / 8)).fill(255))
  }
}

function grown<A extends Float64Array | Uint8Array | Uint32Array>(from: A, to: A): A {
  to.set(from as never)
  return to
}
