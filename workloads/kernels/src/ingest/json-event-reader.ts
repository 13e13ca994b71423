import { checkValue, type EventValue, type InexactNumber, isProblem, type Scalar } from './check-value.ts'
import type { EventColumn, EventSchema } from './event-schema.ts'
import { isIntegerText } from './integer-text.ts'
import { createNameHints } from './name-hints.ts'

/** Why one event was refused: where, by which rule. */
export type Refusal = Readonly<{ path: string; message: string }>
export type ReadEvent = Readonly<{ values: readonly EventValue[] } | { refusal: Refusal }>

/** The text is not JSON: nothing behind this place can be trusted. */
export class JsonSyntaxError extends Error {
  readonly at: number
  constructor(at: number, expected: string) {
    super(`expected ${expected} at character ${at}`)
    this.at = at
  }
}

/** Objects and arrays inside one another in a value, which no column takes anyway. */
export const JSON_DEPTH_MAX = 32
/** Keys of one event, known or not; past it the body is refused whole. */
export const EVENT_KEYS_MAX = 2_048

const [QUOTE, COMMA, MINUS, DOT, COLON, UPPER_E, LOWER_E] = [34, 44, 45, 46, 58, 69, 101]
const [OPEN_BRACKET, BACKSLASH, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [91, 92, 93, 123, 125]
const [ZERO, NINE, LOWER_F, LOWER_N, LOWER_T] = [48, 57, 102, 110, 116]
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
/**
 * Powers of ten that a double holds exactly: digits below 2^53 divided by one are rounded once, so correctly (Clinger
 * 1990), and by less than one unit of the last digit, so never onto an integer.
 */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent)
const SHORT_DIGITS_MAX = 16
/** Places for strings that are given again, 2 to this power; small bodies have fewer, for making them costs as well. */
const SHARED_STRINGS_POWER_MAX = 12
const NOTHING_SHARED = { literal: '', value: '' }
/** Set apart from a value that JSON can hold: an object or array where a scalar must stand. */
const NESTED = Symbol('nested')

type Values = Array<EventValue | undefined>

/**
 * Reads events from JSON text, directed by the schema: no object is made for an event, integers are judged by their
 * digits, and every refusal names its path. One pass; a bad event is skipped and the next one read.
 * Cost: O(text). Errors: JsonSyntaxError for what is not JSON.
 */
export class JsonEventReader {
  private readonly text: string
  /** The text's UTF-16 units once more: the body's own bytes where it is ASCII. Reading them costs a third of charCodeAt. */
  private readonly units: Uint8Array | Uint16Array
  private readonly schema: EventSchema
  private readonly nowUs: number
  private readonly hint: (name: string) => string
  /** Columns in the order in which the event before named them: most clients write every event alike. */
  private readonly order: Array<EventColumn | undefined> = []
  private readonly shared: Array<Readonly<{ literal: string; value: string }>>
  private at = 0
  /** Where the part that is read begins and ends: the whole text, or a line of it. */
  private start = 0
  private end: number
  private refusal: Refusal | undefined

  /** `body` is valid UTF-8. A reader goes over it once, by `all` or by `lines`. */
  constructor(body: Buffer, schema: EventSchema, nowUs: number) {
    this.text = body.toString('utf8')
    this.units = this.text.length === body.length ? body : unitsOf(this.text)
    this.end = this.text.length
    this.schema = schema
    this.nowUs = nowUs
    this.hint = createNameHints(schema.byName)
    const power = Math.min(32 - Math.clz32(body.length >>> 7), SHARED_STRINGS_POWER_MAX)
    this.shared = new Array(1 << power).fill(NOTHING_SHARED)
  }

  /** Every event of a body: an array of objects, or one object. */
  *all(): Generator<ReadEvent> {
    this.space()
    if (this.code() !== OPEN_BRACKET) {
      yield this.event(0)
      return this.nothingMore()
    }
    this.at += 1
    this.space()
    if (this.code() === CLOSE_BRACKET) {
      this.at += 1
      return this.nothingMore()
    }
    for (let index = 0; ; index++) {
      yield this.event(index)
      this.space()
      if (this.code() === CLOSE_BRACKET) {
        this.at += 1
        return this.nothingMore()
      }
      this.expect(COMMA, '"," or "]"')
    }
  }

  /** Every event of NDJSON: one a line; a line that is not JSON is refused alone, an empty one is none. */
  *lines(): Generator<ReadEvent> {
    let index = 0
    for (let next = 0; next < this.text.length; next = this.end + 1) {
      const newline = this.text.indexOf('\n', next)
      this.start = next
      this.at = next
      this.end = newline < 0 ? this.text.length : newline
      this.space()
      if (this.at < this.end) yield this.line(index++)
    }
  }

  private line(index: number): ReadEvent {
    try {
      const event = this.event(index)
      this.nothingMore()
      return event
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error
      const message = `is not JSON: ${error.message} of its line`
      return { refusal: { path: `events[${index}]`, message } }
    }
  }

  private nothingMore(): void {
    this.space()
    if (this.at < this.end) throw this.syntaxError('nothing more')
  }

  private event(index: number): ReadEvent {
    this.space()
    if (this.code() !== OPEN_BRACE) {
      this.skip()
      return { refusal: { path: `events[${index}]`, message: 'must be a JSON object, one event' } }
    }
    this.at += 1
    this.refusal = undefined
    const { length } = this.schema.columns
    const values: Values = new Array(length) // Of exactly this size: one that grows by push takes twice the memory.
    for (let column = 0; column < length; column++) values[column] = undefined
    this.space()
    if (this.code() === CLOSE_BRACE) this.at += 1
    else this.members(index, values)
    if (this.refusal === undefined) this.complete(index, values)
    return this.refusal === undefined ? { values: values as EventValue[] } : { refusal: this.refusal }
  }

  private members(index: number, values: Values): void {
    for (let member = 0; ; member++) {
      if (member === EVENT_KEYS_MAX) throw this.syntaxError(`at most ${EVENT_KEYS_MAX} keys (EVENT_KEYS_MAX)`)
      this.space()
      let column = this.order[member]
      let unknown = ''
      if (column !== undefined && this.standsHere(column.nameBytes)) {
        this.at += column.nameBytes.length
      } else {
        unknown = this.key()
        column = this.schema.byName.get(unknown)
        this.order[member] = column
      }
      this.space()
      this.expect(COLON, '":"')
      this.space()
      const scalar = column?.kind === 'string' && this.code() === QUOTE ? this.sharedString() : this.scalar()
      if (column === undefined) this.refuseUnknown(index, unknown)
      else this.take(index, column, scalar, values)
      this.space()
      if (this.code() === CLOSE_BRACE) {
        this.at += 1
        return
      }
      this.expect(COMMA, '"," or "}"')
    }
  }

  private take(index: number, column: EventColumn, scalar: Scalar | typeof NESTED, values: Values): void {
    if (values[column.index] !== undefined) {
      this.refuse(index, column.name, 'stands twice in this event; send each column once')
    } else if (scalar === NESTED) {
      this.refuse(index, column.name, `must be ${column.kind}, not an object or array; events are flat`)
    } else {
      const checked = checkValue(column, scalar, this.nowUs, this.schema.definition.maxFutureSkewUs)
      if (isProblem(checked)) this.refuse(index, column.name, checked.problem)
      else values[column.index] = checked
    }
  }

  private refuseUnknown(index: number, name: string): void {
    if (this.refusal !== undefined) return // The first is told; a hint for the others would cost and tell nobody.
    const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name
    this.refuse(index, shown, `is not a column of the table${this.hint(name)}`)
  }

  private refuse(index: number, name: string, message: string): void {
    this.refusal ??= { path: `events[${index}].${name}`, message }
  }

  private complete(index: number, values: Values): void {
    for (const { index: at, name, nullable } of this.schema.columns) {
      if (values[at] !== undefined) continue
      if (nullable) values[at] = null
      else this.refuse(index, name, 'is missing and the column is not nullable')
    }
  }

  private scalar(): Scalar | typeof NESTED {
    switch (this.code()) {
      case QUOTE:
        return this.string()
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.skip()
        return NESTED
      case LOWER_T:
        return this.word('true', true)
      case LOWER_F:
        return this.word('false', false)
      case LOWER_N:
        return this.word('null', null)
      default:
        return this.number()
    }
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.syntaxError('a JSON value')
    this.at += word.length
    return value
  }

  /** The numbers that nearly all are: few digits, perhaps a point among them, no exponent. */
  private number(): number | InexactNumber {
    const { units } = this
    let at = this.at
    let code = units[at]!
    const negative = code === MINUS
    if (negative) code = units[++at]!
    const first = at
    let digits = 0
    for (; code >= ZERO && code <= NINE; code = units[++at]!) digits = digits * 10 + (code - ZERO)
    const whole = at - first
    let places = 0
    if (code === DOT) {
      const point = at
      for (code = units[++at]!; code >= ZERO && code <= NINE; code = units[++at]!)
        digits = digits * 10 + (code - ZERO)
      places = at - point - 1
      if (places === 0) return this.longNumber()
    }
    const leadingZero = whole > 1 && units[first]! === ZERO
    const short = whole > 0 && !leadingZero && whole + places <= SHORT_DIGITS_MAX
    // Sixteen digits may pass 2^53, and then their sum does too; a smaller sum was exact at every step.
    if (!short || code === LOWER_E || code === UPPER_E || digits > Number.MAX_SAFE_INTEGER)
      return this.longNumber()
    this.at = at
    const value = places === 0 ? digits : digits / POWERS_OF_TEN[places]!
    return negative ? -value : value
  }

  private longNumber(): number | InexactNumber {
    NUMBER.lastIndex = this.at
    const found = NUMBER.exec(this.text)
    if (found === null) throw this.syntaxError('a JSON value')
    this.at = NUMBER.lastIndex
    const [digits, fraction, exponent] = found
    const nearest = Number(digits)
    const exact =
      fraction === undefined && exponent === undefined
        ? Number.isSafeInteger(nearest)
        : !Number.isSafeInteger(nearest) || isIntegerText(digits)
    return exact ? nearest : { digits, nearest }
  }

  private key(): string {
    if (this.code() !== QUOTE) throw this.syntaxError('a key in quotes')
    return this.string()
  }

  private string(): string {
    const start = this.at + 1
    let at = start
    const { units } = this
    for (; at < this.end; at++) {
      const code = units[at]!
      if (code === QUOTE) {
        this.at = at + 1
        return this.text.slice(start, at)
      }
      if (code === BACKSLASH || code < 32) break
    }
    return this.escapedString(at)
  }

  /**
   * A string that events before have likely held too: the same object is given again, which costs no allocation and
   * carries its hash to the dictionary. One direct-mapped table; a collision only costs a new string.
   */
  private sharedString(): string {
    const { units, shared } = this
    const start = this.at + 1
    let at = start
    let hash = 0
    let escaped = false
    for (; units[at] !== QUOTE; at++) {
      const code = units[at]!
      if (!(code >= 32)) return this.string() // The end or a control character: it says which.
      hash = (Math.imul(hash, 31) + code) | 0
      if (code !== BACKSLASH) continue
      escaped = true
      at += 1
    }
    const place = (hash ^ (hash >>> 15)) & (shared.length - 1)
    const known = shared[place]!
    if (known.literal.length === at - start && this.stands(known.literal, start)) {
      this.at = at + 1
      return known.value
    }
    const value = this.string()
    shared[place] = { literal: escaped ? this.text.slice(start, at) : value, value }
    return value
  }

  private standsHere(expected: Uint8Array): boolean {
    const { units, at } = this
    for (let index = 0; index < expected.length; index++)
      if (units[at + index] !== expected[index]) return false
    return true
  }

  private stands(expected: string, at: number): boolean {
    const { units } = this
    for (let index = 0; index < expected.length; index++)
      if (units[at + index] !== expected.charCodeAt(index)) return false
    return true
  }

  /** A string with escapes: its end is found here, and JSON.parse unescapes it. */
  private escapedString(from: number): string {
    const { text } = this
    for (let at = from; at < this.end; at++) {
      const code = this.units[at]!
      if (code < 32) throw this.syntaxError('an escape instead of a control character', at)
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) {
        const literal = text.slice(this.at, at + 1)
        try {
          const value = JSON.parse(literal) as string
          this.at = at + 1
          return value
        } catch {
          throw this.syntaxError('a string with valid escapes')
        }
      }
    }
    throw this.syntaxError('the end of a string', this.end)
  }

  /** Passes over one value of any shape, as strict as JSON, without recursion and no deeper than JSON_DEPTH_MAX. */
  private skip(): void {
    const closers: number[] = []
    for (;;) {
      this.space()
      const code = this.code()
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        if (closers.length === JSON_DEPTH_MAX)
          throw this.syntaxError(`at most ${JSON_DEPTH_MAX} levels (JSON_DEPTH_MAX)`)
        closers.push(code === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET)
        this.at += 1
        this.space()
        if (this.code() !== closers.at(-1)) {
          if (code === OPEN_BRACE) this.skipKey()
          continue
        }
      } else {
        this.scalar()
      }
      if (this.closed(closers)) return
      this.at += 1
      if (closers.at(-1) === CLOSE_BRACE) this.skipKey()
    }
  }

  /** After a value: leaves all that ends here; true when that was all, false before the comma of the next value. */
  private closed(closers: number[]): boolean {
    for (;;) {
      const closer = closers.at(-1)
      if (closer === undefined) return true
      this.space()
      if (this.code() !== closer) {
        if (this.code() !== COMMA) throw this.syntaxError(`"," or "${String.fromCharCode(closer)}"`)
        return false
      }
      closers.pop()
      this.at += 1
    }
  }

  private skipKey(): void {
    this.space()
    this.key()
    this.space()
    this.expect(COLON, '":"')
  }

  private code(): number {
    return this.units[this.at]!
  }

  private expect(code: number, what: string): void {
    if (this.code() !== code) throw this.syntaxError(what)
    this.at += 1
  }

  private space(): void {
    const { units, end } = this
    let { at } = this
    for (; at < end; at++) {
      const code = units[at]!
      if (code > 32 || (code !== 32 && code !== 10 && code !== 13 && code !== 9)) break
    }
    this.at = at
  }

  private syntaxError(expected: string, at = this.at): JsonSyntaxError {
    return new JsonSyntaxError(at - this.start, expected)
  }
}

function unitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length)
  Buffer.from(units.buffer).write(text, 'utf16le')
  return units
}
