import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { ChunkSource } from '@truenow/kernels/replica/chunk-source.ts'
import type { RowBucket } from '@truenow/kernels/replica/row-bucket.ts'

/** Name of the last column of a bucket's batch: numbers in the slot's log order. */
export const ROW_NUMBER = '$row'

/** A bucket's rows as one batch in log order: id, time, the columns it has, row numbers. */
export function bucketBatch(bucket: RowBucket, definition: TableDefinition): ColumnBatch {
  const sources = bucket.sources(0, definition)
  const { rowCount } = bucket
  const ids = new Uint8Array(rowCount * 16)
  const numbers = new Float64Array(rowCount)
  const times = new Float64Array(rowCount)
  forEachAt(sources, (source, at) => {
    ids.set(source.resident.chunk.ids().subarray(0, source.rowCount * 16), at * 16)
    numbers.set(source.rowNumbers.subarray(0, source.rowCount), at)
    times.set(source.times.subarray(0, source.rowCount), at)
  })
  const columns: NamedColumn[] = [
    { name: definition.idColumn, column: { type: 'id128', values: ids } },
    { name: definition.timeColumn, column: { type: 'timestamp', values: times } },
    ...bucket.columnTypes.map(({ name, type }) => ({ name, column: joined(sources, name, type, rowCount) })),
    { name: ROW_NUMBER, column: { type: 'int64', values: numbers } },
  ]
  return { rowCount, columns }
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
  const texts = new Texts()
  forEachAt(sources, (source, at) => {
    const column = source.column(name)
    if (column === undefined) {
      nulls += source.rowCount
      return
    }
    if (column.type === 'string') texts.add(column, source.rowCount, values as Uint32Array, at)
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
      dictionary: texts.list.length > 0 ? texts.list : [''],
      ...bits,
    }
  if (type === 'bool') return { type, values: values as Uint8Array, ...bits }
  return { type, values: values as Float64Array, ...bits }
}

/** The texts that some rows use, in order of appearance: a pool has those of the whole table. */
class Texts {
  readonly list: string[] = []
  private readonly own = new Map<number, number>()

  /** Adds rows of a column of one pool; their codes here go to `target` from `at` on. */
  add(column: Extract<Column, { type: 'string' }>, rowCount: number, target: Uint32Array, at: number): void {
    for (let row = 0; row < rowCount; row++) {
      const code = column.codes[row] ?? 0
      let own = this.own.get(code)
      if (own === undefined) {
        own = this.list.length
        this.own.set(code, own)
        this.list.push(column.dictionary.at(code) ?? '')
      }
      target[at + row] = own
    }
  }
}

function forEachAt(sources: readonly ChunkSource[], use: (source: ChunkSource, at: number) => void): void {
  let at = 0
  for (const source of sources) {
    use(source, at)
    at += source.rowCount
  }
}
