import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { columnOf, type ScalarType } from '../aggregates/extreme.ts'
import { pickRows } from '../columns/pick-rows.ts'

type Scalar = string | number
const NULL = Symbol('null')

/** Interns the values of one group key: the same value gets the same code, from 0, null included. */
export class KeyCodes {
  readonly type: ScalarType
  private readonly codes = new Map<Scalar | typeof NULL, number>()

  constructor(type: ScalarType) {
    this.type = type
  }

  get size(): number {
    return this.codes.size
  }

  codeOf(value: Scalar | undefined): number {
    const key = value ?? NULL
    let code = this.codes.get(key)
    if (code === undefined) {
      code = this.codes.size
      this.codes.set(key, code)
    }
    return code
  }

  /** Codes of rows `rows[0..count)` of a column; undefined = all null. */
  ofColumn(column: Column | undefined, rows: Uint32Array | undefined, count: number): Uint32Array {
    const codes = new Uint32Array(count)
    if (column === undefined) return codes.fill(this.codeOf(undefined))
    const at = (index: number) => (rows === undefined ? index : rows[index]!)
    if (column.type === 'string') {
      const translated = new Int32Array(column.dictionary.length).fill(-1)
      for (let index = 0; index < count; index++) {
        const row = at(index)
        if (!isValid(column, row)) {
          codes[index] = this.codeOf(undefined)
          continue
        }
        const local = column.codes[row]!
        if (translated[local]! < 0) translated[local] = this.codeOf(column.dictionary.at(local))
        codes[index] = translated[local]!
      }
      return codes
    }
    for (let index = 0; index < count; index++) {
      const row = at(index)
      codes[index] = this.codeOf(isValid(column, row) ? plainAt(column, row) : undefined)
    }
    return codes
  }

  /** Starts of the time buckets of the given event times, as codes. */
  ofTimes(times: Float64Array, rows: Uint32Array, count: number, bucketUs: number): Uint32Array {
    const codes = new Uint32Array(count)
    for (let index = 0; index < count; index++) {
      codes[index] = this.codeOf(Math.floor(times[rows[index]!]! / bucketUs) * bucketUs)
    }
    return codes
  }

  /** The values behind codes, as a column. */
  columnOf(codes: Uint32Array): Column {
    const values = [...this.codes.keys()].map((value) => (value === NULL ? undefined : (value as Scalar)))
    return pickRows(columnOf(this.type, values, values.length), codes)
  }
}

function plainAt(column: Column, row: number): Scalar {
  if (column.type === 'id128') return decodeEventId(column.values, row * 16)
  if (column.type === 'string' || column.type === 'int128' || column.type === 'bytes')
    throw new TypeError(`${column.type} is not plain`)
  const value = column.values[row]!
  return value === 0 ? 0 : value // -0 and 0 are one group.
}

/** Numbers the combinations of key codes, from 0 in order of appearance. */
export class GroupNumbers {
  private readonly levels: Array<Map<number, number>> = []
  /** By key: its code in each group. */
  private codes: Uint32Array[] = []
  /** Groups so far. */
  count = 0

  /** Group of each row, given the codes of each key. Without keys every row is in group 0. */
  number(keys: readonly Uint32Array[], count: number): Uint32Array {
    if (keys.length === 0) {
      this.count = 1
      return new Uint32Array(count)
    }
    let combined = keys[0]!
    for (let level = 1; level < keys.length; level++) {
      this.levels[level] ??= new Map()
      combined = this.pair(this.levels[level]!, combined, keys[level]!, count)
    }
    const groups = new Uint32Array(count)
    this.levels[0] ??= new Map()
    const known = this.levels[0]
    for (let index = 0; index < count; index++) {
      let group = known.get(combined[index]!)
      if (group === undefined) {
        group = this.count++
        known.set(combined[index]!, group)
        this.keep(group, keys, index)
      }
      groups[index] = group
    }
    return groups
  }

  /** Code of a key in each group. */
  codesOf(key: number): Uint32Array {
    return this.codes[key]?.subarray(0, this.count) ?? new Uint32Array(this.count)
  }

  private keep(group: number, keys: readonly Uint32Array[], index: number): void {
    if (group >= (this.codes[0]?.length ?? 0)) {
      this.codes = keys.map((_, key) => {
        const larger = new Uint32Array(Math.max(16, 2 * group))
        larger.set(this.codes[key] ?? [])
        return larger
      })
    }
    for (let key = 0; key < keys.length; key++) this.codes[key]![group] = keys[key]![index]!
  }

  /** Interns pairs: both parts stay below 2^26, so that the pair is a safe integer. */
  private pair(
    known: Map<number, number>,
    left: Uint32Array,
    right: Uint32Array,
    count: number,
  ): Uint32Array {
    const pairs = new Uint32Array(count)
    for (let index = 0; index < count; index++) {
      const pair = left[index]! * 67_108_864 + right[index]!
      let code = known.get(pair)
      if (code === undefined) {
        code = known.size
        known.set(pair, code)
      }
      pairs[index] = code
    }
    return pairs
  }
}
