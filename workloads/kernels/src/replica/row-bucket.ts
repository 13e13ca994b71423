import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import { GrowingColumn } from '../columns/growing-column.ts'
import type { RowSource } from '../plan/row-source.ts'

/** Rows of one slot in one span [startUs, endUs) of event time, in log order. */
export class RowBucket {
  readonly startUs: number
  readonly endUs: number
  rowCount = 0
  timeUsMin = Number.POSITIVE_INFINITY
  timeUsMax = Number.NEGATIVE_INFINITY
  /** Offset of the last record that changed it: its version. */
  changedAtOffset = -1
  /** Order-dependent digest of all its rows, two words: equal rows in equal order give equal words. */
  digestA = 0x811c9dc5
  digestB = 0x9747b28c
  /** Rows that the digest covers beyond those held: memory pressure took them. */
  evictedRows = 0
  private ids = new Uint8Array(16 * 64)
  private readonly times = new GrowingColumn('timestamp')
  private readonly rowNumbers = new GrowingColumn('int64')
  private readonly columns = new Map<string, GrowingColumn>()

  constructor(startUs: number, endUs: number) {
    this.startUs = startUs
    this.endUs = endUs
  }

  /** Appends rows `rows` of a block that follows `definition`; they are numbers `firstRowNumber`… in the slot's log order. */
  append(
    block: Pick<Block, 'columns'>,
    definition: TableDefinition,
    rows: Uint32Array,
    rowCount: number,
    firstRowNumber: number | Float64Array,
  ): void {
    const [idColumn, timeColumn, ...own] = block.columns
    if (idColumn?.type !== 'id128' || timeColumn?.type !== 'timestamp')
      throw new TypeError('a block without id and time')
    this.reserveIds(rowCount)
    for (let index = 0; index < rowCount; index++) {
      const row = rows[index]!
      this.ids.set(idColumn.values.subarray(row * 16, row * 16 + 16), (this.rowCount + index) * 16)
      const timeUs = timeColumn.values[row]!
      if (timeUs < this.timeUsMin) this.timeUsMin = timeUs
      if (timeUs > this.timeUsMax) this.timeUsMax = timeUs
    }
    this.times.append(timeColumn, rows, rowCount)
    const numbers = Float64Array.from({ length: rowCount }, (_, index) =>
      typeof firstRowNumber === 'number' ? firstRowNumber + index : firstRowNumber[index]!,
    )
    const all = Uint32Array.from({ length: rowCount }, (_, index) => index)
    this.rowNumbers.append({ type: 'int64', values: numbers }, all, rowCount)
    const present = new Set<string>()
    for (const [index, { name, type }] of definition.columns.entries()) {
      present.add(name)
      let column = this.columns.get(name)
      if (column === undefined) {
        column = new GrowingColumn(type)
        column.appendNulls(this.rowCount)
        this.columns.set(name, column)
      }
      column.append(own[index] as Column, rows, rowCount)
    }
    // Blocks of an older version may still follow those of a newer one.
    for (const [name, column] of this.columns) if (!present.has(name)) column.appendNulls(rowCount)
    this.digest(block.columns, rows, rowCount)
    this.rowCount += rowCount
  }

  /** These rows, frozen. */
  source(slot: number, definition: TableDefinition): RowSource {
    const { rowCount, timeUsMin, timeUsMax } = this
    const views = new Map([...this.columns].map(([name, column]) => [name, column.view()]))
    const times = this.times.view()
    const rowNumbers = this.rowNumbers.view()
    if (times.type !== 'timestamp' || rowNumbers.type !== 'int64') throw new TypeError('unreachable')
    views.set(definition.timeColumn, times)
    views.set(definition.idColumn, { type: 'id128', values: this.ids })
    const column = (name: string) => views.get(name)
    return {
      slot,
      rowCount,
      timeUsMin,
      timeUsMax,
      times: times.values,
      rowNumbers: rowNumbers.values,
      column,
    }
  }

  get columnNames(): string[] {
    return [...this.columns.keys()]
  }

  get residentBytes(): number {
    let bytes = this.ids.byteLength + this.times.residentBytes + this.rowNumbers.residentBytes
    for (const column of this.columns.values()) bytes += column.residentBytes
    return bytes
  }

  private digest(columns: readonly Column[], rows: Uint32Array, rowCount: number): void {
    const hashes = columns.map((column) => valueHash(column))
    for (let index = 0; index < rowCount; index++) {
      const row = rows[index]!
      let mixed = 0
      for (const hash of hashes) mixed = (Math.imul(mixed, 31) + hash(row)) | 0
      this.digestA = Math.imul(this.digestA ^ mixed, 0x01000193) >>> 0
      this.digestB = (Math.imul(this.digestB ^ (mixed >>> 7) ^ (mixed << 11), 0x85ebca6b) + 1) >>> 0
    }
  }

  private reserveIds(rowCount: number): void {
    const needed = (this.rowCount + rowCount) * 16
    if (needed <= this.ids.length) return
    let capacity = this.ids.length
    while (capacity < needed) capacity *= 2
    const larger = new Uint8Array(capacity)
    larger.set(this.ids.subarray(0, this.rowCount * 16))
    this.ids = larger
  }
}

const scratch = new DataView(new ArrayBuffer(8))

/** A 32-bit hash of the value in each row, from its bytes; null has its own. */
function valueHash(column: Column): (row: number) => number {
  const NULL = 0x6e756c6c
  const valid = (row: number) =>
    column.validity === undefined || ((column.validity[row >>> 3]! >>> (row & 7)) & 1) === 1
  switch (column.type) {
    case 'string': {
      const known = column.dictionary.map(textHash)
      return (row) => (valid(row) ? known[column.codes[row]!]! : NULL)
    }
    case 'id128':
      return (row) => {
        let hash = 0
        for (let at = row * 16; at < row * 16 + 16; at++)
          hash = (Math.imul(hash, 31) + column.values[at]!) | 0
        return hash
      }
    case 'bool':
      return (row) => (valid(row) ? column.values[row]! + 1 : NULL)
    case 'int128':
      throw new TypeError('int128 is a type of partial results, not of columns')
    default:
      return (row) => {
        if (!valid(row)) return NULL
        scratch.setFloat64(0, column.values[row]!)
        return Math.imul(scratch.getInt32(0), 0x9e3779b1) ^ scratch.getInt32(4)
      }
  }
}

function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
