/** 1973-03-03: below it, a number that is meant as milliseconds of our time or of any year before 5138. */
export const EVENT_TIME_US_MIN = 100_000_000_000_000
const MILLISECONDS_MIN = 100_000_000_000
const SECONDS_MIN = 100_000_000

/**
 * Why an event time is refused; undefined = it is good. Too old is not judged here: that is decided by the log alone.
 * `nowUs` is the gateway's clock, `maxFutureSkewUs` the table's.
 */
export function eventTimeProblem(
  valueUs: number,
  nowUs: number,
  maxFutureSkewUs: number,
): string | undefined {
  if (valueUs <= nowUs + maxFutureSkewUs && valueUs >= EVENT_TIME_US_MIN) return undefined
  if (valueUs >= EVENT_TIME_US_MIN) {
    const ahead = ((valueUs - nowUs) / 1e6).toFixed(3)
    return `lies ${ahead} s ahead of the gateway's clock; maxFutureSkew of the table is ${maxFutureSkewUs / 1e6} s`
  }
  if (valueUs >= MILLISECONDS_MIN) return `${valueUs} looks like milliseconds; send microseconds since 1970`
  if (valueUs >= SECONDS_MIN) return `${valueUs} looks like seconds; send microseconds since 1970`
  return `${valueUs} lies before 1973-03-03; send microseconds since 1970`
}
