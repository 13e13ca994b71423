import { TrueNowError } from '../errors.ts'
import type { Codes, Column, WireType } from './column.ts'
import { type Dictionary, Utf8Dictionary } from './dictionary.ts'
import { WideIntegers } from './int128s.ts'

/*
 * Column batch v1: columns of equal length, side by side. Little-endian; every section starts at a multiple of 8
 * from the start of the batch and is padded with zero bytes.
 *
 *   batch      := columnCount u16 | zero u16 | rowCount u32 | column{columnCount}
 *   column     := type u8 | encoding u8 | flags u8 | zero u8 | payloadBytes u32 | nameBytes u16 | name pad8 |
 *                 validity? | payload pad8            -- header and name together are padded to 8
 *   flags      := bit 0: a validity section is there
 *   validity   := ceil(rowCount / 8) bytes, least significant bit first, 1 = value, padded to 8
 *   type       := 1 string | 2 int64 | 3 float64 | 4 bool | 5 timestamp | 6 id128 | 7 int128 | 8 bytes
 *                 -- int128 and bytes are in partial results only; blocks never have them
 *   encoding   := 0 plain: int64, timestamp: i64; float64: IEEE 754; bool: u8 0 or 1; id128: 16 bytes; int128: i128;
 *                 bytes: (end u32){rowCount} | the bytes of all rows, row after row
 *              |  1 offsets: base i64 | (u32 µs above base){rowCount}      -- int64 and timestamp whose range fits
 *              |  2 dictionary (string only): entryCount u32 | textBytes u32 | (end u32){entryCount} | UTF-8 text pad4 |
 *                 code{rowCount}: u8 if entryCount <= 256, u16 if <= 65,536, else u32
 *   payloadBytes counts the payload without its padding.
 */
const TYPE_CODES: Readonly<Record<WireType, number>> = {
  string: 1,
  int64: 2,
  float64: 3,
  bool: 4,
  timestamp: 5,
  id128: 6,
  int128: 7,
  bytes: 8,
}
const TYPE_NAMES = new Map(Object.entries(TYPE_CODES).map(([name, code]) => [code, name as WireType]))
const PLAIN = 0
const OFFSETS = 1
const DICTIONARY = 2
const BATCH_HEADER_BYTES = 8
const COLUMN_HEADER_BYTES = 10
const WORD = 4_294_967_296

/** Rows that one batch may carry. */
export const BATCH_ROWS_MAX = 1 << 24
export type NamedColumn = Readonly<{ name: string; column: Column }>
export type ColumnBatch = Readonly<{ rowCount: number; columns: readonly NamedColumn[] }>
/** A batch to encode, whose columns may be made one after the other: the values of each are read before the next is asked for. */
export type ColumnsInTurn = Readonly<{ rowCount: number; columns: Iterable<NamedColumn> }>

const padded = (bytes: number, to: number) => Math.ceil(bytes / to) * to

/**
 * Encodes a batch. Names may be empty where the reader knows the order (blocks). `spent` is told of each payload once it stands in the
 * batch, and may give its memory back while the others follow. Errors: none for legal columns.
 */
export function encodeColumnBatch(
  batch: ColumnsInTurn,
  spent: (payload: Uint8Array) => void = () => {},
): Buffer {
  const encoded = Array.from(batch.columns, ({ name, column }) => ({
    name: Buffer.from(name, 'utf8'),
    column,
    ...encodePayload(column, batch.rowCount),
  }))
  const validityBytes = padded(Math.ceil(batch.rowCount / 8), 8)
  let total = BATCH_HEADER_BYTES
  for (const { name, column, payload } of encoded) {
    total += padded(COLUMN_HEADER_BYTES + name.length, 8) + padded(payload.length, 8)
    if (column.validity !== undefined) total += validityBytes
  }
  const target = Buffer.alloc(total)
  target.writeUInt16LE(encoded.length, 0)
  target.writeUInt32LE(batch.rowCount, 4)
  let at = BATCH_HEADER_BYTES
  for (const { name, column, encoding, payload } of encoded) {
    target[at] = TYPE_CODES[column.type]
    target[at + 1] = encoding
    target[at + 2] = column.validity === undefined ? 0 : 1
    target.writeUInt32LE(payload.length, at + 4)
    target.writeUInt16LE(name.length, at + 8)
    name.copy(target, at + COLUMN_HEADER_BYTES)
    at += padded(COLUMN_HEADER_BYTES + name.length, 8)
    if (column.validity !== undefined) {
      target.set(column.validity.subarray(0, Math.ceil(batch.rowCount / 8)), at)
      at += validityBytes
    }
    payload.copy(target, at)
    at += padded(payload.length, 8)
    spent(payload)
  }
  return target
}

/**
 * Decodes a batch that starts at `start`. With `inPlace`, columns are views of `source` where they stand in it as they are
 * needed: they keep all of it in memory, and it must not change meanwhile. Codes then may be narrow.
 * Errors: TN_BLOCK_CORRUPT for whatever breaks the grammar; never a wrong column.
 */
export function decodeColumnBatch(
  source: Uint8Array,
  start = 0,
  inPlace = false,
): ColumnBatch & { end: number } {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  const need = (at: number, count: number) => {
    if (at + count > bytes.length) throw corrupt(`it ends at byte ${bytes.length}, ${at + count} are needed`)
  }
  need(start, BATCH_HEADER_BYTES)
  const columnCount = bytes.readUInt16LE(start)
  const rowCount = bytes.readUInt32LE(start + 4)
  if (rowCount > BATCH_ROWS_MAX) throw corrupt(`${rowCount} rows, at most ${BATCH_ROWS_MAX} are allowed`)
  const columns: NamedColumn[] = []
  let at = start + BATCH_HEADER_BYTES
  for (let index = 0; index < columnCount; index++) {
    need(at, COLUMN_HEADER_BYTES)
    const type = TYPE_NAMES.get(bytes[at]!)
    if (type === undefined) throw corrupt(`column ${index} has unknown type ${bytes[at]}`)
    const encoding = bytes[at + 1]!
    const hasValidity = (bytes[at + 2]! & 1) === 1
    const payloadBytes = bytes.readUInt32LE(at + 4)
    const nameBytes = bytes.readUInt16LE(at + 8)
    need(at, COLUMN_HEADER_BYTES + nameBytes)
    const name = bytes.toString('utf8', at + COLUMN_HEADER_BYTES, at + COLUMN_HEADER_BYTES + nameBytes)
    at += padded(COLUMN_HEADER_BYTES + nameBytes, 8)
    let validity: Uint8Array | undefined
    if (hasValidity) {
      const count = Math.ceil(rowCount / 8)
      need(at, count)
      validity = bytesOf(bytes.subarray(at, at + count), inPlace)
      at += padded(count, 8)
    }
    need(at, payloadBytes)
    const payload = bytes.subarray(at, at + payloadBytes)
    const column = decodePayload(type, encoding, payload, rowCount, inPlace)
    columns.push({ name, column: validity === undefined ? column : { ...column, validity } })
    at += padded(payloadBytes, 8)
  }
  return { rowCount, columns, end: at }
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `Column batch v1 does not follow its grammar: ${what}.`)
}

type Payload = Readonly<{ encoding: number; payload: Buffer }>

function encodePayload(column: Column, rowCount: number): Payload {
  switch (column.type) {
    case 'string':
      return { encoding: DICTIONARY, payload: encodeStrings(column.codes, column.dictionary, rowCount) }
    case 'float64':
      return { encoding: PLAIN, payload: encodeDoubles(column.values, rowCount) }
    case 'int64':
    case 'timestamp':
      return encodeIntegers(column.values, rowCount)
    case 'bool':
    case 'id128': {
      const width = column.type === 'bool' ? 1 : 16
      return { encoding: PLAIN, payload: Buffer.from(column.values.subarray(0, rowCount * width)) }
    }
    case 'int128': {
      const { words } = WideIntegers.of(column.values, rowCount)
      return { encoding: PLAIN, payload: Buffer.from(words.slice().buffer) }
    }
    case 'bytes':
      return { encoding: PLAIN, payload: encodeBytes(column.values, rowCount) }
  }
}

function encodeBytes(values: readonly Uint8Array[], rowCount: number): Buffer {
  const ends = Buffer.alloc(rowCount * 4)
  let end = 0
  for (let row = 0; row < rowCount; row++) {
    end += values[row]!.length
    ends.writeUInt32LE(end, row * 4)
  }
  return Buffer.concat([ends, ...values.slice(0, rowCount)])
}

function encodeDoubles(values: Float64Array, rowCount: number): Buffer {
  return Buffer.from(values.slice(0, rowCount).buffer) // Typed arrays are little-endian on every platform Node runs on.
}

function encodeIntegers(values: Float64Array, rowCount: number): Payload {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let row = 0; row < rowCount; row++) {
    const value = values[row]!
    if (value < low) low = value
    if (value > high) high = value
  }
  if (rowCount > 0 && high - low < WORD) {
    const payload = Buffer.alloc(8 + rowCount * 4)
    payload.writeBigInt64LE(BigInt(low), 0)
    const offsets = wordsIn(payload, 8)
    for (let row = 0; row < rowCount; row++) offsets[row] = values[row]! - low
    return { encoding: OFFSETS, payload }
  }
  const payload = Buffer.alloc(rowCount * 8)
  const words = wordsIn(payload, 0)
  for (let row = 0; row < rowCount; row++) {
    const high = Math.floor(values[row]! / WORD)
    words[2 * row] = values[row]! - high * WORD
    words[2 * row + 1] = high
  }
  return { encoding: PLAIN, payload }
}

function encodeStrings(codes: Codes, dictionary: Dictionary, rowCount: number): Buffer {
  const { bytes, ends } = Utf8Dictionary.of(dictionary)
  const width = codeWidth(ends.length)
  const textAt = 8 + 4 * ends.length
  const codesAt = textAt + padded(bytes.length, 4)
  const payload = Buffer.alloc(codesAt + rowCount * width)
  payload.writeUInt32LE(ends.length, 0)
  payload.writeUInt32LE(bytes.length, 4)
  payload.set(new Uint8Array(ends.buffer, ends.byteOffset, ends.byteLength), 8)
  payload.set(bytes, textAt)
  const target = width === 1 ? payload.subarray(codesAt) : width === 2 ? shortsIn(payload, codesAt) : wordsIn(payload, codesAt) // biome-ignore format: one line
  target.set(codes.subarray(0, rowCount))
  return payload
}

/** The rest of a payload, which `Buffer.alloc` puts at the start of a buffer of its own; `at` is a multiple of 4. */
const wordsIn = ({ buffer, byteOffset, length }: Buffer, at: number) =>
  new Uint32Array(buffer, byteOffset + at, (length - at) >>> 2)
const shortsIn = ({ buffer, byteOffset, length }: Buffer, at: number) =>
  new Uint16Array(buffer, byteOffset + at, (length - at) >>> 1)

const codeWidth = (entries: number) => (entries <= 256 ? 1 : entries <= 65_536 ? 2 : 4)

/** A copy, or a view where it may be one and stands at a whole word; no Buffer, whose slice() is a view. */
function bytesOf(part: Buffer, inPlace: boolean): Uint8Array {
  const { buffer, byteOffset, length } = part
  return inPlace && byteOffset % 8 === 0 ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(part)
}

function doublesOf(part: Buffer, inPlace: boolean): Float64Array {
  const { buffer, byteOffset, length } = bytesOf(part, inPlace)
  return new Float64Array(buffer, byteOffset, length / 8)
}

/** Words, which stand at multiples of 4. */
function wordsOf(part: Buffer, inPlace: boolean): Uint32Array {
  const { buffer, byteOffset, length } = part
  if (inPlace && byteOffset % 4 === 0) return new Uint32Array(buffer, byteOffset, length / 4)
  return new Uint32Array(new Uint8Array(part).buffer)
}

function decodePayload(
  type: WireType,
  encoding: number,
  payload: Buffer,
  rowCount: number,
  inPlace: boolean,
): Column {
  const size = (bytes: number) => {
    if (payload.length !== bytes) throw corrupt(`${type} payload has ${payload.length} bytes, not ${bytes}`)
  }
  if (type === 'string') {
    if (encoding !== DICTIONARY) throw corrupt(`string with encoding ${encoding}`)
    return decodeStrings(payload, rowCount, inPlace)
  }
  if ((type === 'int64' || type === 'timestamp') && encoding === OFFSETS) {
    size(8 + rowCount * 4)
    const base = readInteger(payload, 0)
    const values = new Float64Array(rowCount)
    const offsets = wordsOf(payload.subarray(8), true)
    let offsetMax = 0
    for (let row = 0; row < rowCount; row++) {
      const offset = offsets[row]!
      if (offset > offsetMax) offsetMax = offset
      values[row] = base + offset
    }
    if (!Number.isSafeInteger(base + offsetMax))
      throw corrupt(`integer ${base} + ${offsetMax} is not below 2^53`)
    return { type, values }
  }
  if (encoding !== PLAIN) throw corrupt(`${type} with encoding ${encoding}`)
  switch (type) {
    case 'float64': {
      size(rowCount * 8)
      return { type, values: doublesOf(payload, inPlace) }
    }
    case 'bool': {
      size(rowCount)
      const values = bytesOf(payload, inPlace)
      if (values.some((value) => value > 1)) throw corrupt('a bool that is neither 0 nor 1')
      return { type, values }
    }
    case 'id128':
      size(rowCount * 16)
      return { type, values: bytesOf(payload, inPlace) }
    case 'int128': {
      size(rowCount * 16)
      return { type, values: new WideIntegers(wordsOf(payload, inPlace)) }
    }
    case 'bytes':
      return { type, values: decodeBytes(payload, rowCount) }
    default: {
      size(rowCount * 8)
      const values = new Float64Array(rowCount)
      for (let row = 0; row < rowCount; row++) values[row] = readInteger(payload, row * 8)
      return { type, values }
    }
  }
}

function decodeBytes(payload: Buffer, rowCount: number): Uint8Array[] {
  const startsAt = rowCount * 4
  if (payload.length < startsAt)
    throw corrupt(`bytes payload has ${payload.length} bytes for ${rowCount} rows`)
  let from = startsAt
  const values = Array.from({ length: rowCount }, (_, row) => {
    const end = startsAt + payload.readUInt32LE(row * 4)
    if (end < from || end > payload.length) throw corrupt(`bytes of row ${row} end at ${end}`)
    const value = new Uint8Array(payload.subarray(from, end)) // A copy: the batch may be one of many in a message.
    from = end
    return value
  })
  if (from !== payload.length) throw corrupt(`${payload.length - from} bytes that are of no row`)
  return values
}

function readInteger(payload: Buffer, at: number): number {
  const value = payload.readInt32LE(at + 4) * WORD + payload.readUInt32LE(at)
  if (!Number.isSafeInteger(value)) throw corrupt(`integer ${payload.readBigInt64LE(at)} is not below 2^53`)
  return value
}

function decodeStrings(payload: Buffer, rowCount: number, inPlace: boolean): Column {
  if (payload.length < 8) throw corrupt('a dictionary without its header')
  const entries = payload.readUInt32LE(0)
  const textBytes = payload.readUInt32LE(4)
  const width = codeWidth(entries)
  const textAt = 8 + 4 * entries
  const codesAt = textAt + padded(textBytes, 4)
  if (payload.length !== codesAt + rowCount * width) {
    throw corrupt(`string payload has ${payload.length} bytes, not ${codesAt + rowCount * width}`)
  }
  const ends = wordsOf(payload.subarray(8, textAt), inPlace)
  const dictionary = new Utf8Dictionary(bytesOf(payload.subarray(textAt, textAt + textBytes), inPlace), ends)
  const problem = dictionary.problem()
  if (problem !== undefined) throw corrupt(problem)
  const codes = narrowCodes(payload.subarray(codesAt), width, inPlace)
  let codeMax = -1
  for (let row = 0; row < rowCount; row++) if (codes[row]! > codeMax) codeMax = codes[row]!
  if (codeMax >= entries) throw corrupt(`code ${codeMax} in a dictionary of ${entries}`)
  return { type: 'string', codes: inPlace ? codes : Uint32Array.from(codes), dictionary }
}

function narrowCodes(source: Buffer, width: number, inPlace: boolean): Codes {
  if (width === 4) return wordsOf(source, inPlace)
  const { buffer, byteOffset, length } =
    inPlace && source.byteOffset % width === 0 ? source : new Uint8Array(source)
  return width === 1
    ? new Uint8Array(buffer, byteOffset, length)
    : new Uint16Array(buffer, byteOffset, length / 2)
}
