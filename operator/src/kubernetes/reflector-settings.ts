/** Every duration of a reflector; the defaults are for production, tests shorten them. */
export type ReflectorSettings = Readonly<{
  /** The server ends a watch after a time between these, so that not all end together. */
  watchSMin: number
  watchSMax: number
  /** Silence beyond the server's timeout until the connection counts as dead. */
  silenceMarginMs: number
  backoffMsMin: number
  backoffMsMax: number
  /** Failures in a row until the version itself is doubted and everything listed. */
  failuresMax: number
  /** A watch that the server ended sooner is counted as failed. */
  shortWatchMs: number
  /** Everything is listed and compared this often, whatever the watch says. */
  checkMsMin: number
  checkMsMax: number
  /** How much later than a list the watch may tell the same. */
  checkGraceMs: number
  objectsMax: number
}>

const OBJECTS_MAX = 50_000

export const reflectorSettings: ReflectorSettings = {
  watchSMin: 240,
  watchSMax: 480,
  silenceMarginMs: 30_000,
  backoffMsMin: 500,
  backoffMsMax: 30_000,
  failuresMax: 5,
  shortWatchMs: 1_000,
  checkMsMin: 300_000,
  checkMsMax: 600_000,
  checkGraceMs: 10_000,
  objectsMax: OBJECTS_MAX,
}
