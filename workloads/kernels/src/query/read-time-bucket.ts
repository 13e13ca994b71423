import { statementError } from './statement-error.ts'

const UNIT_US = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
} as const

/** The width of `1m`, `250ms`, `2h` in µs. Errors: TN_QUERY_INVALID when it is not of that form or too wide. */
export function readTimeBucket(text: string, path: string): number {
  const [, count, unit] = /^([1-9][0-9]*)(us|ms|s|m|h|d)$/.exec(text) ?? []
  const widthUs = Number(count) * UNIT_US[unit as keyof typeof UNIT_US]
  if (Number.isSafeInteger(widthUs)) return widthUs
  throw statementError(path, 'must be a whole number and us, ms, s, m, h or d, such as "1m".')
}
