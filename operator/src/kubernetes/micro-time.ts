/** RFC 3339 with any fraction and offset, as Kubernetes and others write it. */
const RFC_3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/
const SIX_DIGITS = 6

/**
 * Kubernetes' MicroTime, in µs since 1970. A `Date` knows milliseconds only, and a Lease or an Event whose microseconds
 * were lost compares as changed. `parse` answers undefined for what is no such time; finer digits than µs are dropped.
 */
export const microTime = {
  format: (us: number): string => {
    const seconds = Math.floor(us / 1e6)
    const fraction = String(Math.floor(us - seconds * 1e6)).padStart(SIX_DIGITS, '0')
    return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${fraction}Z`
  },
  parse: (text: string): number | undefined => {
    const [, second, fraction = '', zone] = RFC_3339.exec(text) ?? []
    const ms = Date.parse(`${second}${zone}`)
    if (Number.isNaN(ms)) return undefined
    return ms * 1_000 + Number(fraction.slice(0, SIX_DIGITS).padEnd(SIX_DIGITS, '0'))
  },
}
