import { nearestName } from '../query/nearest-name.ts'
import { checkValue, type EventValue, type Scalar } from './check-value.ts'
import type { EventSchema } from './event-schema.ts'

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

export const JSON_DEPTH_MAX = 32
/** Keys of one event, known or not; past it the body is refused whole. */
export const EVENT_KEYS_MAX = 2_048

const [QUOTE, COMMA, COLON] = [34, 44, 58]
const [OPEN_BRACKET, BACKSLASH, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [91, 92, 93, 123, 125]
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
/** Set apart from a value that JSON can hold: an object or array where a scalar must stand. */
const NESTED = Symbol('nested')

/**
 * Reads events from JSON text, directed by the schema: no object is made for an event, integers are judged by their
 * digits, and every refusal names its path. One pass; a bad event is skipped and the next one read.
 * Cost: O(text). Errors: JsonSyntaxError for what is not JSON.
 */
export class JsonEventReader {
  private readonly text: string
  private readonly schema: EventSchema
  private readonly nowUs: number
  private at: number

  constructor(text: string, schema: EventSchema, nowUs: number, at = 0) {
    this.text = text
    this.schema = schema
    this.nowUs = nowUs
    this.at = at
  }

  /** Every event of a body: an array of objects, or one object. */
  *all(): Generator<ReadEvent> {
    this.space()
    if (this.code() !== OPEN_BRACKET) {
      yield this.event(0)
      return this.end()
    }
    this.at += 1
    this.space()
    if (this.code() === CLOSE_BRACKET) {
      this.at += 1
      return this.end()
    }
    for (let index = 0; ; index++) {
      yield this.event(index)
      this.space()
      if (this.code() === CLOSE_BRACKET) {
        this.at += 1
        return this.end()
      }
      this.expect(COMMA, '"," or "]"')
    }
  }

  /** The one event of a line; `index` is its place in the body. */
  only(index: number): ReadEvent {
    const event = this.event(index)
    this.end()
    return event
  }

  private end(): void {
    this.space()
    if (this.at < this.text.length) throw new JsonSyntaxError(this.at, 'nothing more')
  }

  private event(index: number): ReadEvent {
    this.space()
    const place = `events[${index}]`
    if (this.code() !== OPEN_BRACE) {
      this.skip()
      return { refusal: { path: place, message: 'must be a JSON object, one event' } }
    }
    this.at += 1
    const values: Array<EventValue | undefined> = new Array(this.schema.columns.length).fill(undefined)
    let refusal: Refusal | undefined
    const refuse = (path: string, message: string) => {
      refusal ??= { path, message }
    }
    this.space()
    if (this.code() === CLOSE_BRACE) this.at += 1
    else this.members(place, values, refuse)
    if (refusal === undefined) this.complete(place, values, refuse)
    return refusal === undefined ? { values: values as EventValue[] } : { refusal }
  }

  private members(
    place: string,
    values: Array<EventValue | undefined>,
    refuse: (path: string, message: string) => void,
  ): void {
    for (let keys = 1; ; keys++) {
      if (keys > EVENT_KEYS_MAX)
        throw new JsonSyntaxError(this.at, `at most ${EVENT_KEYS_MAX} keys (EVENT_KEYS_MAX)`)
      this.space()
      if (this.code() !== QUOTE) throw new JsonSyntaxError(this.at, 'a key in quotes')
      const key = this.string()
      this.space()
      this.expect(COLON, '":"')
      this.space()
      const column = this.schema.byName.get(key)
      const path = `${place}.${key.length > 64 ? `${key.slice(0, 64)}…` : key}`
      const scalar = this.scalar()
      if (column === undefined) {
        const near = nearestName(key, this.schema.byName.keys())
        refuse(path, `is not a column of the table${near === undefined ? '' : `; did you mean "${near}"?`}`)
      } else if (values[column.index] !== undefined) {
        refuse(path, 'stands twice in this event; send each column once')
      } else if (scalar === NESTED) {
        refuse(path, `must be ${column.kind}, not an object or array; events are flat`)
      } else {
        const checked = checkValue(column, scalar, this.nowUs, this.schema.definition.maxFutureSkewUs)
        if (checked.problem === undefined) values[column.index] = checked.value
        else refuse(path, checked.problem)
      }
      this.space()
      if (this.code() === CLOSE_BRACE) {
        this.at += 1
        return
      }
      this.expect(COMMA, '"," or "}"')
    }
  }

  private complete(
    place: string,
    values: Array<EventValue | undefined>,
    refuse: (path: string, message: string) => void,
  ): void {
    for (const { index, name, nullable } of this.schema.columns) {
      if (values[index] !== undefined) continue
      if (nullable) values[index] = null
      else refuse(`${place}.${name}`, 'is missing and the column is not nullable')
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
      case 116:
        return this.word('true', true)
      case 102:
        return this.word('false', false)
      case 110:
        return this.word('null', null)
      default:
        return this.number()
    }
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw new JsonSyntaxError(this.at, 'a JSON value')
    this.at += word.length
    return value
  }

  /** A number, or a bigint where the digits are an integer that a double would round. */
  private number(): number | bigint {
    NUMBER.lastIndex = this.at
    const found = NUMBER.exec(this.text)
    if (found === null) throw new JsonSyntaxError(this.at, 'a JSON value')
    this.at = NUMBER.lastIndex
    const [digits, fraction, exponent] = found
    const value = Number(digits)
    if (fraction === undefined && exponent === undefined && !Number.isSafeInteger(value))
      return BigInt(digits)
    return value
  }

  private string(): string {
    const start = this.at + 1
    let at = start
    const { text } = this
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        this.at = at + 1
        return text.slice(start, at)
      }
      if (code === BACKSLASH || code < 32) break
    }
    return this.escapedString(at)
  }

  /** A string with escapes: its end is found here, and JSON.parse unescapes it. */
  private escapedString(from: number): string {
    const { text } = this
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code < 32) throw new JsonSyntaxError(at, 'an escape instead of a control character')
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) {
        const literal = text.slice(this.at, at + 1)
        try {
          const value = JSON.parse(literal) as string
          this.at = at + 1
          return value
        } catch {
          throw new JsonSyntaxError(this.at, 'a string with valid escapes')
        }
      }
    }
    throw new JsonSyntaxError(text.length, 'the end of a string')
  }

  /** Passes over one value of any shape, without recursion and no deeper than JSON_DEPTH_MAX. */
  private skip(): void {
    let depth = 0
    do {
      this.space()
      const code = this.code()
      if (code === OPEN_BRACE || code === OPEN_BRACKET) {
        depth += 1
        if (depth > JSON_DEPTH_MAX)
          throw new JsonSyntaxError(this.at, `at most ${JSON_DEPTH_MAX} levels (JSON_DEPTH_MAX)`)
        this.at += 1
      } else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
        depth -= 1
        this.at += 1
      } else if (code === COMMA || code === COLON) {
        this.at += 1
      } else {
        this.scalar()
      }
    } while (depth > 0)
  }

  private code(): number {
    return this.text.charCodeAt(this.at)
  }

  private expect(code: number, what: string): void {
    if (this.code() !== code) throw new JsonSyntaxError(this.at, what)
    this.at += 1
  }

  private space(): void {
    for (;;) {
      const code = this.code()
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return
      this.at += 1
    }
  }
}
