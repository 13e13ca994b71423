import { EVENT_ID_LENGTH_MAX } from '@truenow/contracts/event-id.ts'
import type { EventColumn } from './event-schema.ts'
import { eventTimeProblem } from './event-time-problem.ts'

/** A number whose digits a double would round across an integer: `nearest` is what would be left of them. */
export type InexactNumber = Readonly<{ digits: string; nearest: number }>
/** A value as a client sent it. */
export type Scalar = string | number | boolean | null | InexactNumber
/** A value as a column holds it. */
export type EventValue = string | number | boolean | null
/** Why a value is refused, as the end of a sentence that begins with its path. */
export type Problem = Readonly<{ problem: string }>

/** UTF-8 bytes of one string value. */
export const STRING_BYTES_MAX = 65_536

/**
 * Judges one value for its column: nothing is coerced, rounded or cut. The value comes back bare,
 * so that a good one costs no object. `nowUs` and `maxFutureSkewUs` are for the event's own time.
 */
export function checkValue(
  column: EventColumn,
  scalar: Scalar,
  nowUs: number,
  maxFutureSkewUs: number,
): EventValue | Problem {
  const { kind } = column
  if (scalar === null) return column.nullable ? null : { problem: 'is null and the column is not nullable' }
  if (typeof scalar === 'object') return checkInexact(kind, scalar)
  switch (kind) {
    case 'id':
      if (typeof scalar === 'number' && Number.isSafeInteger(scalar)) return String(scalar)
      if (typeof scalar !== 'string') return mismatch('a string or an integer', scalar)
      return scalar === '' ? { problem: 'must not be empty' } : textProblem(scalar, EVENT_ID_LENGTH_MAX)
    case 'time': {
      if (typeof scalar !== 'number' || !Number.isInteger(scalar))
        return mismatch('an integer, µs since 1970', scalar)
      const problem = eventTimeProblem(scalar, nowUs, maxFutureSkewUs)
      return problem === undefined ? scalar : { problem }
    }
    case 'string':
      return typeof scalar === 'string' ? textProblem(scalar, STRING_BYTES_MAX) : mismatch('a string', scalar)
    case 'bool':
      return typeof scalar === 'boolean' ? scalar : mismatch('true or false', scalar)
    case 'float64':
      if (typeof scalar !== 'number') return mismatch('a number', scalar)
      if (!Number.isFinite(scalar))
        return { problem: `is ${Number.isNaN(scalar) ? 'not a number' : 'beyond what a float64 can hold'}` }
      return scalar + 0 // -0 + 0 is 0: equal numbers are one group and one key.
    default:
      if (typeof scalar !== 'number' || !Number.isInteger(scalar)) return mismatch('an integer', scalar)
      if (!Number.isSafeInteger(scalar))
        return { problem: 'must be an integer below 2^53 (9007199254740992)' }
      return scalar + 0
  }
}

export const isProblem = (checked: EventValue | Problem): checked is Problem =>
  typeof checked === 'object' && checked !== null

function checkInexact(kind: EventColumn['kind'], { digits, nearest }: InexactNumber): EventValue | Problem {
  const integer = !Number.isSafeInteger(nearest)
  if (integer && kind === 'id') return textProblem(digits, EVENT_ID_LENGTH_MAX)
  if (integer)
    return { problem: `is the integer ${shown(digits)}; integers must be below 2^53 (9007199254740992)` }
  if (kind !== 'float64') return { problem: `must be an integer, not number ${shown(digits)}` }
  return nearest === 0 ? { problem: `is ${shown(digits)}, nearer to 0 than a float64 can tell` } : nearest
}

function textProblem(text: string, bytesMax: number): EventValue | Problem {
  if (!text.isWellFormed()) return { problem: 'holds half of a surrogate pair, which is no text' }
  if (text.includes('\0')) return { problem: 'holds the character U+0000' }
  if (text.length * 3 > bytesMax && Buffer.byteLength(text, 'utf8') > bytesMax) {
    return { problem: `has ${Buffer.byteLength(text, 'utf8')} bytes; at most ${bytesMax} are allowed` }
  }
  return text
}

function mismatch(expected: string, scalar: string | number | boolean): EventValue | Problem {
  const text = typeof scalar === 'string' ? JSON.stringify(scalar.slice(0, SHOWN_LENGTH_MAX)) : String(scalar)
  return { problem: `must be ${expected}, not ${typeof scalar} ${shown(text)}` }
}

const SHOWN_LENGTH_MAX = 40
const shown = (text: string): string =>
  text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text
