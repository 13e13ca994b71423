import { TrueNowError } from '../errors.ts'
import type { ColumnType } from '../table-definition.ts'

/*
 * Scalar list v1: values of one column type, no two alike, ascending: the state of an exact COUNT DISTINCT, and the
 * values of a top-k state. Little-endian. Equal sets give equal bytes.
 *
 *   list    := version u8 = 1 | type u8 | zero u16 | count u32 | payload
 *   type    := 1 string | 2 int64 | 3 float64 | 4 bool | 5 timestamp        -- as in column-batch-v1
 *   payload := string: textBytes u32 | (end u32){count} | UTF-8 text        -- ascending by UTF-8 bytes
 *            | int64, timestamp, float64: f64{count}                        -- ascending, NaN last; 0 stands for -0
 *            | bool: u8{count}, 0 or 1
 */
const VERSION = 1
const HEADER_BYTES = 8
const SURROGATE = /[\ud800-\udfff]/
const TYPE_CODES: Readonly<Record<ColumnType, number>> = {
  string: 1,
  int64: 2,
  float64: 3,
  bool: 4,
  timestamp: 5,
}

/** A value of a list: text, or a number; booleans are 0 and 1. */
export type ListedScalar = string | number

/** Encodes distinct values in any order. Cost: O(values log values). */
export function encodeScalarList(type: ColumnType, values: Iterable<ListedScalar>): Uint8Array {
  if (type === 'string') return encodeTexts(Array.from(values, String))
  const numbers = Float64Array.from(values as Iterable<number>).sort()
  const width = type === 'bool' ? 1 : 8
  const target = Buffer.alloc(HEADER_BYTES + numbers.length * width)
  writeHeader(target, type, numbers.length)
  for (const [index, value] of numbers.entries()) {
    if (width === 1) target[HEADER_BYTES + index] = value
    else target.writeDoubleLE(value, HEADER_BYTES + index * 8)
  }
  return new Uint8Array(target)
}

/** Decodes a list that fills `source`. Errors: TN_BLOCK_CORRUPT for another type or whatever breaks the grammar. */
export function decodeScalarList(type: ColumnType, source: Uint8Array): ListedScalar[] {
  const { bytes, count } = readHeader(type, source)
  if (type === 'string') return decodeTexts(bytes, count)
  const width = type === 'bool' ? 1 : 8
  need(bytes, HEADER_BYTES + count * width)
  const values: number[] = []
  for (let index = 0; index < count; index++) {
    const value = width === 1 ? bytes[HEADER_BYTES + index]! : bytes.readDoubleLE(HEADER_BYTES + index * 8)
    if (index > 0 && !isAscending(values[index - 1]!, value))
      throw corrupt(`value ${index} is not above the one before`)
    if (type === 'bool' && value > 1) throw corrupt('a bool that is neither 0 nor 1')
    if ((type === 'int64' || type === 'timestamp') && !Number.isSafeInteger(value))
      throw corrupt(`${value} is no integer below 2^53`)
    values.push(value)
  }
  return values
}

/** How many values a list holds, without reading them. Errors: TN_BLOCK_CORRUPT for a header that breaks the grammar. */
export const scalarListCount = (source: Uint8Array): number => readHeader(undefined, source).count

const isAscending = (a: number, b: number): boolean => a < b || (Number.isNaN(b) && !Number.isNaN(a))

/** Type of the values of a list. Errors: TN_BLOCK_CORRUPT for a header that breaks the grammar. */
export function scalarListType(source: Uint8Array): ColumnType {
  const { bytes } = readHeader(undefined, source)
  for (const [type, code] of Object.entries(TYPE_CODES)) if (code === bytes[1]) return type as ColumnType
  throw corrupt(`type ${bytes[1]}`)
}

function encodeTexts(values: string[]): Uint8Array {
  const { text, ends } = values.some((value) => SURROGATE.test(value))
    ? sortedBytes(values)
    : sortedPlain(values)
  const textAt = HEADER_BYTES + 4 + 4 * values.length
  const target = Buffer.alloc(textAt + text.length)
  writeHeader(target, 'string', values.length)
  target.writeUInt32LE(text.length, HEADER_BYTES)
  for (const [index, end] of ends.entries()) target.writeUInt32LE(end, HEADER_BYTES + 4 + 4 * index)
  text.copy(target, textAt)
  return new Uint8Array(target.buffer, target.byteOffset, target.length)
}

type SortedText = Readonly<{ text: Buffer; ends: number[] }>

/** Without surrogates UTF-16 units sort as UTF-8 bytes do, and a million of them several times faster. */
function sortedPlain(values: string[]): SortedText {
  values.sort()
  let end = 0
  const ends = values.map((value) => {
    end += Buffer.byteLength(value, 'utf8')
    return end
  })
  return { text: Buffer.from(values.join(''), 'utf8'), ends }
}

function sortedBytes(values: readonly string[]): SortedText {
  const texts = values.map((value) => Buffer.from(value, 'utf8')).sort(Buffer.compare)
  let end = 0
  const ends = texts.map((text) => {
    end += text.length
    return end
  })
  return { text: Buffer.concat(texts), ends }
}

function decodeTexts(bytes: Buffer, count: number): string[] {
  if (bytes.length < HEADER_BYTES + 4) throw corrupt('text without its length')
  const textAt = HEADER_BYTES + 4 + 4 * count
  need(bytes, textAt + bytes.readUInt32LE(HEADER_BYTES))
  const values: string[] = []
  let before: Buffer | undefined
  let from = textAt
  for (let index = 0; index < count; index++) {
    const end = textAt + bytes.readUInt32LE(HEADER_BYTES + 4 + 4 * index)
    if (end < from || end > bytes.length) throw corrupt(`text ${index} ends at ${end}`)
    const text = bytes.subarray(from, end)
    if (before !== undefined && Buffer.compare(before, text) >= 0)
      throw corrupt(`text ${index} is not above the one before`)
    values.push(text.toString('utf8'))
    before = text
    from = end
  }
  if (from !== bytes.length) throw corrupt('text that is of no value')
  return values
}

function writeHeader(target: Buffer, type: ColumnType, count: number): void {
  target[0] = VERSION
  target[1] = TYPE_CODES[type]
  target.writeUInt32LE(count, 4)
}

function readHeader(type: ColumnType | undefined, source: Uint8Array): { bytes: Buffer; count: number } {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength)
  if (bytes.length < HEADER_BYTES) throw corrupt(`it has ${bytes.length} bytes`)
  if (bytes[0] !== VERSION) throw corrupt(`version ${bytes[0]}`)
  if (type !== undefined && bytes[1] !== TYPE_CODES[type]) throw corrupt(`type ${bytes[1]}, not ${type}`)
  return { bytes, count: bytes.readUInt32LE(4) }
}

function need(bytes: Buffer, length: number): void {
  if (bytes.length !== length) throw corrupt(`it has ${bytes.length} bytes, not ${length}`)
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `Scalar list v1 does not follow its grammar: ${what}.`)
}
