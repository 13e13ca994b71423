import { decodeEventId } from '@truenow/contracts/event-id.ts'
import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import type { Dictionary, Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import type { ScalarType } from '../aggregates/extreme.ts'
import { PairCodes } from './pair-codes.ts'
import { TextCodes } from './text-codes.ts'

type TextColumn = Extract<Column, { type: 'string' }>
type IdColumn = Extract<Column, { type: 'id128' }>
const UNKNOWN = 2 ** 32 - 1

/**
 * Interns the values of one group key: the same value gets the same code, from 0 in order of appearance, null included.
 * Nothing is made an object: texts stay UTF-8, and a text becomes a string only if its column had it as one.
 */
export class KeyCodes {
  readonly type: ScalarType
  private readonly texts = new TextCodes()
  private readonly numbers = new PairCodes()
  /** Code of null, which values that come after it leave out; -1: there was none. */
  private nullCode = -1
  private readonly double = new Float64Array(1)
  private readonly halves = new Uint32Array(this.double.buffer)
  private encoded = Buffer.alloc(64)

  constructor(type: ScalarType) {
    this.type = type
  }

  get size(): number {
    return this.texts.size + this.numbers.size + (this.nullCode < 0 ? 0 : 1)
  }

  /** Codes of rows `rows[0..count)` of a column; undefined = all null. */
  ofColumn(column: Column | undefined, rows: Uint32Array | undefined, count: number): Uint32Array {
    if (column === undefined) return new Uint32Array(count).fill(count === 0 ? 0 : this.codeOfNull())
    switch (column.type) {
      case 'string':
        return this.ofTexts(column, rows, count)
      case 'id128':
        return this.ofIds(column, rows, count)
      case 'int128':
      case 'bytes':
        throw new TypeError(`${column.type} is not plain`)
      default: {
        const codes = new Uint32Array(count)
        for (let index = 0; index < count; index++) {
          const row = rows === undefined ? index : rows[index]!
          codes[index] = isValid(column, row) ? this.codeOfNumber(column.values[row]!) : this.codeOfNull()
        }
        return codes
      }
    }
  }

  /** Starts of the time buckets of the given event times, as codes. */
  ofTimes(times: Float64Array, rows: Uint32Array, count: number, bucketUs: number): Uint32Array {
    const codes = new Uint32Array(count)
    for (let index = 0; index < count; index++) {
      codes[index] = this.codeOfNumber(Math.floor(times[rows[index]!]! / bucketUs) * bucketUs)
    }
    return codes
  }

  /** The values behind codes, as a column. Of texts it has all that there are by now, whether or not one of the codes means them. */
  columnOf(codes: Uint32Array): Column {
    const { type, nullCode } = this
    const places = new Uint32Array(codes.length)
    const validity = new Uint8Array(Math.ceil(codes.length / 8)).fill(255)
    let nulls = 0
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at]!
      if (code !== nullCode) {
        places[at] = nullCode >= 0 && code > nullCode ? code - 1 : code
        continue
      }
      validity[at >>> 3]! &= ~(1 << (at & 7))
      nulls += 1
    }
    const valid = nulls === 0 ? {} : { validity }
    if (type === 'string') {
      // A code is of some text, even where it stands for null.
      if (nulls > 0 && this.texts.size === 0) this.texts.codeOf(this.encoded, 0, 0)
      return { type, codes: places, dictionary: this.texts.dictionary(), ...valid }
    }
    const doubles = this.numbers.doubles()
    const values = new Float64Array(codes.length)
    for (let at = 0; at < codes.length; at++) values[at] = codes[at] === nullCode ? 0 : doubles[places[at]!]!
    return type === 'bool' ? { type, values: Uint8Array.from(values), ...valid } : { type, values, ...valid }
  }

  private ofTexts(column: TextColumn, rows: Uint32Array | undefined, count: number): Uint32Array {
    const codes = new Uint32Array(count)
    const { dictionary } = column
    const texts = dictionary.utf8?.()
    const translated = new Uint32Array(dictionary.length).fill(UNKNOWN)
    this.texts.reserve(Math.min(count, dictionary.length))
    for (let index = 0; index < count; index++) {
      const row = rows === undefined ? index : rows[index]!
      if (!isValid(column, row)) {
        codes[index] = this.codeOfNull()
        continue
      }
      const local = column.codes[row]!
      if (translated[local] === UNKNOWN) translated[local] = this.codeOfEntry(dictionary, texts, local)
      codes[index] = translated[local]!
    }
    return codes
  }

  private codeOfEntry(dictionary: Dictionary, texts: Utf8Dictionary | undefined, entry: number): number {
    if (texts === undefined) return this.codeOfText(dictionary.at(entry) ?? '')
    const { bytes, ends } = texts
    return this.placed(this.texts.codeOf(bytes, entry === 0 ? 0 : ends[entry - 1]!, ends[entry]!))
  }

  private ofIds(column: IdColumn, rows: Uint32Array | undefined, count: number): Uint32Array {
    const codes = new Uint32Array(count)
    for (let index = 0; index < count; index++) {
      const row = rows === undefined ? index : rows[index]!
      codes[index] = isValid(column, row)
        ? this.codeOfText(decodeEventId(column.values, row * 16))
        : this.codeOfNull()
    }
    return codes
  }

  private codeOfText(text: string): number {
    if (this.encoded.length < 3 * text.length) this.encoded = Buffer.allocUnsafeSlow(6 * text.length)
    return this.placed(this.texts.codeOf(this.encoded, 0, this.encoded.write(text, 0, 'utf8')))
  }

  private codeOfNumber(value: number): number {
    this.double[0] = value === 0 ? 0 : value // -0 and 0 are one group.
    return this.placed(this.numbers.codeOf(this.halves[0]!, this.halves[1]!))
  }

  private codeOfNull(): number {
    if (this.nullCode < 0) this.nullCode = this.size
    return this.nullCode
  }

  /** Code of a value, by its place among the values. */
  private placed(place: number): number {
    return this.nullCode >= 0 && place >= this.nullCode ? place + 1 : place
  }
}

/** Numbers the combinations of key codes, from 0 in order of appearance. */
export class GroupNumbers {
  /** Of the first key, or of all keys taken together: the group + 1 of each code; 0: none yet. */
  private groupOf = new Uint32Array(0)
  /** By key from the second on: codes of what stands before it, and of its own, taken together. */
  private readonly pairs: PairCodes[] = []
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
      this.pairs[level] ??= new PairCodes()
      combined = pair(this.pairs[level]!, combined, keys[level]!, count)
    }
    const groups = new Uint32Array(count)
    for (let index = 0; index < count; index++) {
      const code = combined[index]!
      if (code >= this.groupOf.length) this.widen(code)
      let group = this.groupOf[code]!
      if (group === 0) {
        group = ++this.count
        this.groupOf[code] = group
        this.keep(group - 1, keys, index)
      }
      groups[index] = group - 1
    }
    return groups
  }

  /** Code of a key in each group. */
  codesOf(key: number): Uint32Array {
    return this.codes[key]?.subarray(0, this.count) ?? new Uint32Array(this.count)
  }

  private widen(code: number): void {
    const wider = new Uint32Array(Math.max(16, 2 * (code + 1)))
    wider.set(this.groupOf)
    this.groupOf = wider
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
}

/** Codes of pairs. */
function pair(known: PairCodes, left: Uint32Array, right: Uint32Array, count: number): Uint32Array {
  const codes = new Uint32Array(count)
  for (let index = 0; index < count; index++) codes[index] = known.codeOf(left[index]!, right[index]!)
  return codes
}
