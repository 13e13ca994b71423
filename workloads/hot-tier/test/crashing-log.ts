/** What crashing-workers.ts is told, and the one line that it says. */
export type WorkersTask = Readonly<{
  directory: string
  seed: number
  /** Records of each slot that are in the log when it starts, and that come one by one after it said its line. */
  first: number
  more: number
  /** Its line tells where it stands at the end of the log, not at the start. */
  toEnd: boolean
}>
export type WorkersLine = Readonly<{
  restored: number
  refused: number
  slots: ReadonlyArray<Readonly<{ slot: number; offset: number; hash: string }>>
}>

export const CRASHING_SLOTS = 4
