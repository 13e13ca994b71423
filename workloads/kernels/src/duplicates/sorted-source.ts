/** Ids in the order of compareIds, one at a time: `words` from `at` on, with hash and sequence number, until `ended`. */
export type SortedSource = {
  words: Uint32Array
  at: number
  hash: number
  sequence: number
  ended: boolean
  /** Goes on to the next id. Errors: TN_ID_RUN_UNREADABLE. */
  advance: () => void
  residentBytes: () => number
}
