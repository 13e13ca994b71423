import { TrueNowError } from '../errors.ts'
import { ID_COLUMN_INDEX, type TableDefinition, TIME_COLUMN_INDEX } from '../table-definition.ts'
import type { Column } from './column.ts'
import { type ColumnBatch, decodeColumnBatch, encodeColumnBatch } from './column-batch-v1.ts'
import { crc32c } from './crc32c.ts'

/*
 * Block v1: the value of one Kafka record. Little-endian.
 *
 *   block := 'TNB1' | formatVersion u8 = 1 | zero u8 u16 | tableVersion u32 | rowCount u32 |
 *            timeMinUs i64 | timeMaxUs i64 | batch (column-batch-v1, names empty) | zero u32 | crc32c u32
 *   columns, in order: event id (id128), event time (timestamp), then the table version's columns as declared.
 *   crc32c covers every byte before it.
 */
const MAGIC = 0x31424e54
const HEADER_BYTES = 32
const TRAILER_BYTES = 8

/** Rows that one block may carry; a chunk of the hot tier holds as many. */
export const BLOCK_ROWS_MAX = 65_536
/** Bytes that one block may have; Kafka's default for a record batch is 1 MiB, topics of ours allow twice this. */
export const BLOCK_BYTES_MAX = 8 << 20

export type Block = Readonly<{
  tableVersion: number
  rowCount: number
  timeUsMin: number
  timeUsMax: number
  columns: readonly Column[]
}>

/** Encodes rows as a block. `columns` as in the grammar above. Errors: AssertionError-like TN_INTERNAL on a caller's bug. */
export function encodeBlock(tableVersion: number, rowCount: number, columns: readonly Column[]): Buffer {
  const time = columns[TIME_COLUMN_INDEX]
  const id = columns[ID_COLUMN_INDEX]
  if (rowCount < 1 || rowCount > BLOCK_ROWS_MAX || time?.type !== 'timestamp' || id?.type !== 'id128') {
    throw new TrueNowError(
      'TN_INTERNAL',
      `A block of ${rowCount} rows without id or time column was to be encoded.`,
    )
  }
  let timeUsMin = Number.POSITIVE_INFINITY
  let timeUsMax = Number.NEGATIVE_INFINITY
  for (let row = 0; row < rowCount; row++) {
    const value = time.values[row] as number
    if (value < timeUsMin) timeUsMin = value
    if (value > timeUsMax) timeUsMax = value
  }
  const batch = encodeColumnBatch({ rowCount, columns: columns.map((column) => ({ name: '', column })) })
  const block = Buffer.alloc(HEADER_BYTES + batch.length + TRAILER_BYTES)
  block.writeUInt32LE(MAGIC, 0)
  block[4] = 1
  block.writeUInt32LE(tableVersion, 8)
  block.writeUInt32LE(rowCount, 12)
  block.writeBigInt64LE(BigInt(timeUsMin), 16)
  block.writeBigInt64LE(BigInt(timeUsMax), 24)
  batch.copy(block, HEADER_BYTES)
  block.writeUInt32LE(crc32c(block, 0, block.length - 4), block.length - 4)
  return block
}

/** The table version that a block names, without decoding the rest. Errors: TN_BLOCK_CORRUPT. */
export function blockTableVersion(value: Uint8Array): number {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES) throw corrupt(`${bytes.length} bytes are too few`)
  if (bytes.readUInt32LE(0) !== MAGIC) throw corrupt('it does not begin with TNB1')
  if (bytes[4] !== 1) throw corrupt(`format version ${bytes[4]} is not 1`)
  return bytes.readUInt32LE(8)
}

/**
 * Decodes and verifies a block; its columns may be views of `value`, which must not change while they are used.
 * Errors: TN_BLOCK_CORRUPT, also when a flipped bit leaves the grammar intact (CRC).
 */
export function decodeBlock(value: Uint8Array): Block {
  const tableVersion = blockTableVersion(value)
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const expected = bytes.readUInt32LE(bytes.length - 4)
  const found = crc32c(bytes, 0, bytes.length - 4)
  if (expected !== found) throw corrupt(`its CRC-32C is ${found.toString(16)}, not ${expected.toString(16)}`)
  const rowCount = bytes.readUInt32LE(12)
  const batch: ColumnBatch & { end: number } = decodeColumnBatch(
    bytes.subarray(0, bytes.length - TRAILER_BYTES),
    HEADER_BYTES,
    true,
  )
  if (batch.rowCount !== rowCount || rowCount < 1 || rowCount > BLOCK_ROWS_MAX) {
    throw corrupt(`its header says ${rowCount} rows, its batch ${batch.rowCount}`)
  }
  if (batch.end !== bytes.length - TRAILER_BYTES)
    throw corrupt(`${bytes.length - TRAILER_BYTES - batch.end} bytes too many`)
  const columns = batch.columns.map(({ column }) => column)
  if (columns[ID_COLUMN_INDEX]?.type !== 'id128' || columns[TIME_COLUMN_INDEX]?.type !== 'timestamp') {
    throw corrupt('its first columns are not id and time')
  }
  return {
    tableVersion,
    rowCount,
    timeUsMin: Number(bytes.readBigInt64LE(16)),
    timeUsMax: Number(bytes.readBigInt64LE(24)),
    columns,
  }
}

/**
 * Why a block does not fit its table version; undefined = it fits. Depends on the block's bytes and the version only,
 * so every ingester and replica gives the same verdict.
 */
export function blockMismatch(block: Block, definition: TableDefinition): string | undefined {
  const expected = ['id128', 'timestamp', ...definition.columns.map(({ type }) => type)]
  if (block.columns.length !== expected.length) {
    return `it has ${block.columns.length} columns, version ${definition.version} has ${expected.length}`
  }
  const index = block.columns.findIndex(({ type }, at) => type !== expected[at])
  if (index >= 0)
    return `column ${index} is ${block.columns[index]?.type}, version ${definition.version} says ${expected[index]}`
  const nulls = definition.columns.findIndex(
    ({ nullable }, at) => !nullable && block.columns[at + 2]?.validity !== undefined,
  )
  return nulls >= 0 ? `column ${definition.columns[nulls]?.name} holds nulls and is not nullable` : undefined
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `Not a block in format v1: ${what}.`)
}
