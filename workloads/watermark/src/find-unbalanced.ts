import type { SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'

/** Conservation (P2): every row of the log became exactly one thing. Answers what does not add up, or an empty text. */
export function findUnbalanced(state: SlotState): string {
  const { logRows, appliedRows, deduplicatedRows, expiredRows, deadLetteredRecords } = state
  const sum = appliedRows + deduplicatedRows + expiredRows + deadLetteredRecords
  if (sum === logRows) return ''
  return (
    `log ${logRows} is not applied ${appliedRows} + deduplicated ${deduplicatedRows} + ` +
    `expired ${expiredRows} + dead-lettered ${deadLetteredRecords}`
  )
}
