import { encodeEventId } from '@truenow/contracts/event-id.ts'
import { bucketSpanUs } from '@truenow/kernels/replica/slot-replica.ts'
import type { LogRow } from '@truenow/kernels/replica/testing/encode-rows.ts'
import type { OracleRecord } from './expand-records.ts'

/** A row that the log let in: seen by whoever stands at `fromOffset` or later and below `goneAtOffset`. */
export type HeldRow = Readonly<{ slot: number; fromOffset: number; rowNumber: number; row: LogRow }> & {
  goneAtOffset: number
}
type Kept = Readonly<{ held: HeldRow; bucketEndUs: number }>

/**
 * What becomes of the rows of one slot's log, by the rules of the design written down once more and as plainly as they
 * read: expiry before duplicates, both in log time; retention from min(greatest event time, log time), a whole bucket at
 * once. The one thing that is taken from the program is how wide a bucket is. `atHorizon` counts the rows and buckets that
 * end at the very microsecond of the horizon, which are gone.
 */
export function foldPlainly(
  records: readonly OracleRecord[],
): Readonly<{ rows: HeldRow[]; atHorizon: number }> {
  const all: HeldRow[] = []
  let kept: Kept[] = []
  const firstCopyAtUs = new Map<string, number>()
  let [logTimeUs, eventUsMax, logRows, atHorizon, inForce] = [-1, -1, 0, 0, records[0]?.definition]
  for (const { slot, offset, appendTimeUs, definition, rows } of records) {
    logTimeUs = Math.max(logTimeUs, appendTimeUs)
    if (inForce === undefined || definition.version > inForce.version) inForce = definition
    const { retentionUs, dedupWindowUs } = inForce
    const spanUs = bucketSpanUs(retentionUs)
    const beforeUs = Math.min(eventUsMax, logTimeUs) - retentionUs
    for (const [id, atUs] of firstCopyAtUs) if (logTimeUs - atUs >= dedupWindowUs) firstCopyAtUs.delete(id)
    for (const [index, row] of rows.entries()) {
      const bucketEndUs = (Math.floor(row.timeUs / spanUs) + 1) * spanUs
      if (bucketEndUs === beforeUs) atHorizon += 1
      const id = idText(row.id)
      if (bucketEndUs <= beforeUs || firstCopyAtUs.has(id)) continue
      firstCopyAtUs.set(id, logTimeUs)
      const held = {
        slot,
        fromOffset: offset,
        goneAtOffset: Number.MAX_SAFE_INTEGER,
        rowNumber: logRows + index,
        row,
      }
      all.push(held)
      kept.push({ held, bucketEndUs })
    }
    logRows += rows.length
    for (const { timeUs } of rows) eventUsMax = Math.max(eventUsMax, timeUs)
    const horizonUs = Math.min(eventUsMax, logTimeUs) - retentionUs
    for (const { held, bucketEndUs } of kept) {
      if (bucketEndUs <= horizonUs) held.goneAtOffset = offset
      if (bucketEndUs === horizonUs) atHorizon += 1
    }
    kept = kept.filter(({ bucketEndUs }) => bucketEndUs > horizonUs)
  }
  return { rows: all, atHorizon }
}

function idText(id: string): string {
  const bytes = new Uint8Array(16)
  encodeEventId(id, bytes, 0)
  return Buffer.from(bytes).toString('hex')
}
