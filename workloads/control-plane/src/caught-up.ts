/** Records that may lie between a replica's cursor and the log's end as it saw it when it counts as caught up. */
export const CAUGHT_UP_LAG_RECORDS_MAX = 16

/** What a joining replica says of itself (SlotState), and the log's end as the control plane saw it itself. */
export type CaughtUpEvidence = Readonly<{
  cursorOffset: number
  /** The log's end as the replica's stream told it; believed only when the stream has spoken. */
  reportedEndOffset: number
  progressedAtUs: number
  stalledReason: string
}>

/** Whether a report makes a replica worth asking Kafka about: it follows, does not stand still, and sees the end near. */
export function claimsCaughtUp(evidence: CaughtUpEvidence): boolean {
  const { cursorOffset, reportedEndOffset, progressedAtUs, stalledReason } = evidence
  if (stalledReason !== '' || progressedAtUs <= 0) return false
  return reportedEndOffset - (cursorOffset + 1) <= CAUGHT_UP_LAG_RECORDS_MAX
}

/**
 * Whether the claim is proved. `endOffsetNow` is the log's end as Kafka said just now; `endOffsetThen` as it said when this
 * replica first claimed: under load the end is always a little ahead of any report, but an end seen earlier can be passed.
 */
export function provesCaughtUp(
  cursorOffset: number,
  endOffsetNow: number,
  endOffsetThen: number | undefined,
): boolean {
  return cursorOffset + 1 >= Math.min(endOffsetNow, endOffsetThen ?? endOffsetNow)
}
