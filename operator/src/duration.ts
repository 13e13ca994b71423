const UNITS_US: Readonly<Record<string, number>> = {
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
}

/** Microseconds of a duration such as `10m`. Errors: RangeError for what is none; the CRD's pattern refuses it first. */
export function microsecondsOfDuration(duration: string): number {
  const [, number = '', unit = ''] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(duration) ?? []
  const factor = UNITS_US[unit]
  if (number === '' || factor === undefined)
    throw new RangeError(`'${duration}' is no duration, such as 500ms, 10s, 10m, 1h or 7d`)
  const us = Number(number) * factor
  if (!Number.isSafeInteger(us)) throw new RangeError(`'${duration}' is longer than 285 years; shorten it`)
  return us
}
