import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'

/** What one column of an event may hold; `id` and `time` are the two that every table has. */
export type EventColumnKind = 'id' | 'time' | ColumnType

export type EventColumn = Readonly<{
  /** Place in the block: 0 the id, 1 the time, then the declared columns. */
  index: number
  name: string
  /** The name as nearly every client writes it as a key: in quotes, without escapes, which no name needs. */
  nameBytes: Uint8Array
  kind: EventColumnKind
  nullable: boolean
}>

/** A table version made ready for decoding: columns in block order, and where the partition key stands among them. */
export type EventSchema = Readonly<{
  definition: TableDefinition
  columns: readonly EventColumn[]
  byName: ReadonlyMap<string, EventColumn>
  /** Indexes of the partition key's columns, in key order; the id alone when the table names none. */
  partitionColumns: readonly number[]
  /** Bytes that one row takes in a block at most, without the text of its strings. */
  rowBytesMax: number
}>

const ID_BYTES = 16
const NUMBER_BYTES = 8
/** A code of 4 bytes and, for a text not seen before, the 4 bytes of its end in the dictionary. */
const STRING_BYTES = 8

/** Compiles a table version. Errors: a partition column that the table lacks is a bug of the catalog and throws. */
export function compileEventSchema(definition: TableDefinition): EventSchema {
  const declared = definition.columns.map(({ name, type, nullable }) => ({ name, kind: type, nullable }))
  const all: ReadonlyArray<{ name: string; kind: EventColumnKind; nullable: boolean }> = [
    { name: definition.idColumn, kind: 'id', nullable: false },
    { name: definition.timeColumn, kind: 'time', nullable: false },
    ...declared,
  ]
  const columns = all.map((column, index) => ({
    ...column,
    index,
    nameBytes: new Uint8Array(Buffer.from(`"${column.name}"`, 'utf8')),
  }))
  const byName = new Map(columns.map((column) => [column.name, column]))
  const partitionBy = definition.partitionBy.length > 0 ? definition.partitionBy : [definition.idColumn]
  const partitionColumns = partitionBy.map((name) => {
    const column = byName.get(name)
    if (column === undefined)
      throw new Error(`partition column ${name} is not a column of ${definition.name}`)
    return column.index
  })
  const rowBytesMax = columns.reduce((sum, { kind, nullable }) => sum + bytesOf(kind) + (nullable ? 1 : 0), 0)
  return { definition, columns, byName, partitionColumns, rowBytesMax }
}

function bytesOf(kind: EventColumnKind): number {
  if (kind === 'id') return ID_BYTES
  if (kind === 'string') return STRING_BYTES
  return kind === 'bool' ? 1 : NUMBER_BYTES
}
