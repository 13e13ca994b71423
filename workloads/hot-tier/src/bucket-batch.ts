import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Codes, type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { ColumnsInTurn, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { PoolTexts } from '@truenow/kernels/columns/pool-texts.ts'
import type { TextPool } from '@truenow/kernels/columns/text-pool.ts'
import type { ChunkSource } from '@truenow/kernels/replica/chunk-source.ts'
import type { RowBucket } from '@truenow/kernels/replica/row-bucket.ts'
import { letGoOfBytes } from './let-go-of-bytes.ts'

/** Name of the last column of a bucket's batch: numbers in the slot's log order. */
export const ROW_NUMBER = '$row'

/**
 * A bucket's rows as one batch in log order: id, time, the columns it has, row numbers. Each column is made when it is asked for, once,
 * and gives its memory back when the next one is.
 */
export function bucketBatch(bucket: RowBucket, definition: TableDefinition): ColumnsInTurn {
  return { rowCount: bucket.rowCount, columns: givenBack(columnsOf(bucket, definition)) }
}

function* givenBack(columns: Iterable<NamedColumn>): Generator<NamedColumn> {
  for (const named of columns) {
    yield named
    const { column } = named
    if (column.type === 'string') {
      const texts = column.dictionary.utf8?.()
      for (const part of [column.codes, texts?.bytes, texts?.ends]) if (part !== undefined) letGoOfBytes(part)
    } else if (ArrayBuffer.isView(column.values)) letGoOfBytes(column.values)
  }
}

function* columnsOf(bucket: RowBucket, definition: TableDefinition): Generator<NamedColumn> {
  const sources = bucket.sources(0, definition)
  const { rowCount } = bucket
  const ids = new Uint8Array(rowCount * 16)
  forEachAt(sources, ({ resident, rowCount: rows }, at) => {
    ids.set(resident.chunk.ids().subarray(0, rows * 16), at * 16)
  })
  yield { name: definition.idColumn, column: { type: 'id128', values: ids } }
  const times = new Float64Array(rowCount)
  forEachAt(sources, (source, at) => times.set(source.times.subarray(0, source.rowCount), at))
  yield { name: definition.timeColumn, column: { type: 'timestamp', values: times } }
  for (const { name, type } of bucket.columnTypes) {
    yield { name, column: joined(sources, name, type, rowCount) }
  }
  const numbers = new Float64Array(rowCount)
  forEachAt(sources, (source, at) => numbers.set(source.rowNumbers.subarray(0, source.rowCount), at))
  yield { name: ROW_NUMBER, column: { type: 'int64', values: numbers } }
}

/** One column over all chunks; where a chunk does not have it, null. */
function joined(sources: readonly ChunkSource[], name: string, type: ColumnType, rowCount: number): Column {
  const values =
    type === 'string'
      ? new Uint32Array(rowCount)
      : type === 'bool'
        ? new Uint8Array(rowCount)
        : new Float64Array(rowCount)
  const validity = new Uint8Array(Math.ceil(rowCount / 8))
  let nulls = 0
  const texts = new Texts(type === 'string' ? sources[0]?.resident.pools.of(name) : undefined, rowCount)
  forEachAt(sources, (source, at) => {
    const column = source.column(name)
    if (column === undefined) {
      nulls += source.rowCount
      return
    }
    if (column.type === 'string') texts.add(column.codes, source.rowCount, values as Uint32Array, at)
    else values.set((column.values as Float64Array).subarray(0, source.rowCount), at)
    for (let row = 0; row < source.rowCount; row++) {
      if (isValid(column, row)) {
        const to = at + row
        validity[to >>> 3] = (validity[to >>> 3] ?? 0) | (1 << (to & 7))
      } else nulls += 1
    }
  })
  const bits = nulls === 0 ? {} : { validity }
  // Rows of chunks without the column carry code 0 under their bit: it must name something.
  if (type === 'string')
    return {
      type,
      codes: values as Uint32Array,
      dictionary: texts.dictionary(),
      ...bits,
    }
  if (type === 'bool') return { type, values: values as Uint8Array, ...bits }
  return { type, values: values as Float64Array, ...bits }
}

/** Rows a text of the pool, from which on a table of all its codes is smaller than a map of those that rows have. */
const ROWS_A_TEXT_MIN = 1 / 8

/** The texts that some rows use, in order of appearance: a pool has those of the whole table. None becomes a string. */
class Texts {
  private readonly pool: TextPool | undefined
  private readonly codes: Uint32Array
  private size = 0
  /** Own code and one, by the pool's; 0: not seen yet. */
  private readonly own: Uint32Array | Map<number, number>

  constructor(pool: TextPool | undefined, rowCount: number) {
    this.pool = pool
    const texts = Math.max(1, pool?.size ?? 0) // Rows before a column that comes late in a chunk carry code 0.
    this.codes = new Uint32Array(Math.min(texts, rowCount))
    this.own = rowCount >= texts * ROWS_A_TEXT_MIN ? new Uint32Array(texts) : new Map()
  }

  /** Adds rows of a column of the pool; their codes here go to `target` from `at` on. */
  add(codes: Codes, rowCount: number, target: Uint32Array, at: number): void {
    const { own } = this
    for (let row = 0; row < rowCount; row++) {
      const code = codes[row] ?? 0
      const known = own instanceof Map ? own.get(code) : own[code]
      target[at + row] = known ? known - 1 : this.see(code)
    }
  }

  private see(code: number): number {
    this.codes[this.size] = code
    this.size += 1
    if (this.own instanceof Map) this.own.set(code, this.size)
    else this.own[code] = this.size
    return this.size - 1
  }

  /** Nothing is added any more. */
  dictionary(): Dictionary {
    if (!(this.own instanceof Map)) letGoOfBytes(this.own)
    if (this.pool === undefined || this.size === 0) return ['']
    return new PoolTexts(this.pool, this.codes.subarray(0, this.size))
  }
}

function forEachAt(sources: readonly ChunkSource[], use: (source: ChunkSource, at: number) => void): void {
  let at = 0
  for (const source of sources) {
    use(source, at)
    at += source.rowCount
  }
}
