import { EVENT_ID_LENGTH_MAX } from '@truenow/contracts/event-id.ts'
import type { EventColumn } from './event-schema.ts'
import { eventTimeProblem } from './event-time-problem.ts'

/** A value as a client sent it; a bigint is an integer whose digits a double would round. */
export type Scalar = string | number | bigint | boolean | null
/** A value as a column holds it. */
export type EventValue = string | number | boolean | null
export type Checked = Readonly<
  { value: EventValue; problem?: undefined } | { problem: string; value?: undefined }
>

/** UTF-8 bytes of one string value. */
export const STRING_BYTES_MAX = 65_536

/**
 * Judges one value for its column: nothing is coerced, rounded or cut. A problem is the end of a sentence that begins with
 * the path. `nowUs` and `maxFutureSkewUs` are for the event's own time.
 */
export function checkValue(
  column: EventColumn,
  scalar: Scalar,
  nowUs: number,
  maxFutureSkewUs: number,
): Checked {
  const { kind } = column
  if (scalar === null)
    return column.nullable ? { value: null } : { problem: 'is null and the column is not nullable' }
  if (typeof scalar === 'bigint') {
    if (kind === 'id') return textProblem(String(scalar), EVENT_ID_LENGTH_MAX)
    return {
      problem: `is the integer ${shown(String(scalar))}; integers must be below 2^53 (9007199254740992)`,
    }
  }
  switch (kind) {
    case 'id':
      if (typeof scalar === 'number' && Number.isSafeInteger(scalar)) return { value: String(scalar) }
      if (typeof scalar !== 'string') return mismatch('a string or an integer', scalar)
      return scalar === '' ? { problem: 'must not be empty' } : textProblem(scalar, EVENT_ID_LENGTH_MAX)
    case 'time': {
      if (typeof scalar !== 'number' || !Number.isInteger(scalar))
        return mismatch('an integer, µs since 1970', scalar)
      const problem = eventTimeProblem(scalar, nowUs, maxFutureSkewUs)
      return problem === undefined ? { value: scalar } : { problem }
    }
    case 'string':
      return typeof scalar === 'string' ? textProblem(scalar, STRING_BYTES_MAX) : mismatch('a string', scalar)
    case 'bool':
      return typeof scalar === 'boolean' ? { value: scalar } : mismatch('true or false', scalar)
    case 'float64':
      if (typeof scalar !== 'number') return mismatch('a number', scalar)
      return Number.isFinite(scalar)
        ? { value: scalar + 0 }
        : { problem: 'is beyond what a float64 can hold' }
    default:
      if (typeof scalar !== 'number' || !Number.isInteger(scalar)) return mismatch('an integer', scalar)
      if (!Number.isSafeInteger(scalar))
        return { problem: 'must be an integer below 2^53 (9007199254740992)' }
      return { value: scalar + 0 }
  }
}

function textProblem(text: string, bytesMax: number): Checked {
  if (!text.isWellFormed()) return { problem: 'holds half of a surrogate pair, which is no text' }
  if (text.includes('\0')) return { problem: 'holds the character U+0000' }
  if (text.length * 3 > bytesMax && Buffer.byteLength(text, 'utf8') > bytesMax) {
    return { problem: `has ${Buffer.byteLength(text, 'utf8')} bytes; at most ${bytesMax} are allowed` }
  }
  return { value: text }
}

function mismatch(expected: string, scalar: Scalar): Checked {
  return {
    problem: `must be ${expected}, not ${scalar === null ? 'null' : typeof scalar} ${shown(JSON.stringify(scalar) ?? '')}`,
  }
}

const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)
