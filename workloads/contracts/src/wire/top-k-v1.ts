import { TrueNowError } from '../errors.ts'
import type { ColumnType } from '../table-definition.ts'
import { decodeScalarList, encodeScalarList, type ListedScalar, scalarListType } from './scalar-list-v1.ts'

/*
 * Top-k v1: the state of TOP_K: every value with its count while they are few, then a Count-Min sketch with candidates.
 * The counters are a function of the rows alone: equal rows give equal counters. Little-endian.
 *
 *   state   := version u8 = 1 | form u8 | depth u8 = 5 | log2 width u8 = 12 | listBytes u32 | values scalar-list-v1 | payload
 *   form    := 0 exact:  values are all there are, at most 1,024; payload := (count varint){values}, each at least 1
 *           |  1 sketch: values are candidates, at most 1,024;   payload := (counter varint){5 x 4,096}, row after row
 *   varint  := LEB128, unsigned, shortest form, below 2^53
 * A value with the hash h (64 bits, as in hyperloglog-v1) is counted in row r at the 12 bits of h from bit 12r, most
 * significant first. Every row of counters adds up to the same: the values counted.
 */
export const COUNT_MIN_DEPTH = 5
export const COUNT_MIN_WIDTH = 4_096
/** Distinct values that are counted exactly, and candidates that a sketch keeps. */
export const TOP_K_VALUES_MAX = 1_024
const VERSION = 1
const HEADER_BYTES = 8
const EXACT = 0
const SKETCH = 1

export type TopKState =
  | Readonly<{ form: 'exact'; counts: ReadonlyMap<ListedScalar, number> }>
  | Readonly<{ form: 'sketch'; candidates: readonly ListedScalar[]; counters: Float64Array }>

/** Encodes a state of a column of type `type`. Cost: O(values log values + counters). */
export function encodeTopK(type: ColumnType, state: TopKState): Uint8Array {
  const values = encodeScalarList(type, state.form === 'exact' ? state.counts.keys() : state.candidates)
  const numbers =
    state.form === 'exact'
      ? decodeScalarList(type, values).map((value) => state.counts.get(value) ?? 0)
      : state.counters
  const target = Buffer.alloc(HEADER_BYTES + values.length + 8 * numbers.length)
  target.set([VERSION, state.form === 'exact' ? EXACT : SKETCH, COUNT_MIN_DEPTH, Math.log2(COUNT_MIN_WIDTH)])
  target.writeUInt32LE(values.length, 4)
  target.set(values, HEADER_BYTES)
  let at = HEADER_BYTES + values.length
  for (const number of numbers) {
    let rest = number
    for (; rest >= 128; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 128
    target[at++] = rest
  }
  return new Uint8Array(target.subarray(0, at))
}

/** Type of the values of a state. Errors: TN_BLOCK_CORRUPT for a header that breaks the grammar. */
export const topKType = (source: Uint8Array): ColumnType => scalarListType(listOf(source))

/** Decodes a state; nothing of `source` is kept. Errors: TN_BLOCK_CORRUPT for whatever breaks the grammar. */
export function decodeTopK(type: ColumnType, source: Uint8Array): TopKState {
  const list = listOf(source)
  const values = decodeScalarList(type, list)
  if (values.length > TOP_K_VALUES_MAX) throw corrupt(`${values.length} values`)
  const payload = source.subarray(HEADER_BYTES + list.length)
  if (source[1] === EXACT) {
    const counts = readVarints(payload, values.length)
    if (counts.some((count) => count === 0)) throw corrupt('a value that was never counted')
    return { form: 'exact', counts: new Map(values.map((value, index) => [value, counts[index]!])) }
  }
  const counters = readVarints(payload, COUNT_MIN_DEPTH * COUNT_MIN_WIDTH)
  const totals = Array.from({ length: COUNT_MIN_DEPTH }, (_, row) =>
    counters
      .subarray(row * COUNT_MIN_WIDTH, (row + 1) * COUNT_MIN_WIDTH)
      .reduce((sum, count) => sum + count, 0),
  )
  if (totals.some((total) => total !== totals[0]))
    throw corrupt(`rows that count ${totals.join(', ')} values`)
  return { form: 'sketch', candidates: values, counters }
}

/** The scalar list in a state whose header is as it must be. */
function listOf(source: Uint8Array): Uint8Array {
  if (source.length < HEADER_BYTES) throw corrupt(`it has ${source.length} bytes`)
  const [version, form, depth, width] = source
  if (version !== VERSION) throw corrupt(`version ${version}`)
  if (form !== EXACT && form !== SKETCH) throw corrupt(`form ${form}`)
  if (depth !== COUNT_MIN_DEPTH || 2 ** width! !== COUNT_MIN_WIDTH)
    throw corrupt(`${depth} rows of 2^${width}`)
  const listBytes = new DataView(source.buffer, source.byteOffset).getUint32(4, true)
  if (HEADER_BYTES + listBytes > source.length) throw corrupt(`a list of ${listBytes} bytes`)
  return source.subarray(HEADER_BYTES, HEADER_BYTES + listBytes)
}

function readVarints(payload: Uint8Array, count: number): Float64Array {
  const numbers = new Float64Array(count)
  let at = 0
  for (let index = 0; index < count; index++) {
    let [number, scale] = [0, 1]
    for (;;) {
      const byte = payload[at++]
      if (byte === undefined) throw corrupt(`number ${index} is cut short`)
      number += (byte & 127) * scale
      if (byte === 0 && scale > 1) throw corrupt(`number ${index} is not in its shortest form`)
      if (byte < 128) break
      scale *= 128
      if (scale > 2 ** 49) throw corrupt(`number ${index} is too long`)
    }
    if (!Number.isSafeInteger(number)) throw corrupt(`number ${index} is not below 2^53`)
    numbers[index] = number
  }
  if (at !== payload.length) throw corrupt(`${payload.length - at} bytes that are of no number`)
  return numbers
}

function corrupt(what: string): TrueNowError {
  return new TrueNowError('TN_BLOCK_CORRUPT', `Top-k v1 does not follow its grammar: ${what}.`)
}
