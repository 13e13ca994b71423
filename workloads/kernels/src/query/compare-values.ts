import type { FinalValue } from '../plan/finalize-aggregate.ts'

/** A value of an answer. Integers beyond 2^53 are bigints; numbers are finite. */
export type AnswerValue = FinalValue

/**
 * The order of two values of one column: null after everything, false before true, text by code point (as its UTF-8
 * bytes), numbers and bigints by value.
 */
export function compareValues(left: AnswerValue, right: AnswerValue): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1
  // Lists have no order; planning refuses to order by one.
  if (typeof left === 'object' || typeof right === 'object') return 0
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right)
  return left < right ? -1 : left > right ? 1 : 0
}

/** JavaScript compares UTF-16 units, which puts U+10000 and above before U+E000: wrong once, at the first difference. */
function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at)
    const b = right.charCodeAt(at)
    if (a === b) continue
    const surrogateA = a >= 0xd800 && a <= 0xdfff
    const surrogateB = b >= 0xd800 && b <= 0xdfff
    return surrogateA === surrogateB ? a - b : surrogateA ? 1 : -1
  }
  return left.length - right.length
}
