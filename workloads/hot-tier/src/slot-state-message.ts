import type { MessageInitShape } from '@bufbuild/protobuf'
import type { SlotStateSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { gapMessage } from './execute-partial.ts'
import type { ShardSlot } from './shard-slot.ts'

/** A replica as it reports itself. */
export function slotStateMessage(slot: ShardSlot): MessageInitShape<typeof SlotStateSchema> {
  const { replica, key, assignment } = slot
  const hash = slot.currentHash()
  const { rowsPerSecond, applyShare, scanShare } = slot.load.figures()
  return {
    table: { namespace: key.namespace, name: key.name },
    slot: key.slot,
    epoch: BigInt(assignment.epoch),
    incarnation: BigInt(assignment.incarnation),
    state: assignment.state,
    cursor: { offset: BigInt(replica.cursor.offset), checksum: replica.cursor.checksum },
    endOffset: BigInt(slot.endOffset),
    watermarkUs: BigInt(slot.watermarkUs),
    logTimeUs: BigInt(replica.logTimeUs),
    eventTimeUsMax: BigInt(replica.eventUsMax),
    retainedFromUs: BigInt(replica.retainedFromUs),
    tableVersion: replica.tableVersion,
    logRows: BigInt(replica.counters.logRows),
    appliedRows: BigInt(replica.counters.applied),
    deduplicatedRows: BigInt(replica.counters.deduplicated),
    expiredRows: BigInt(replica.counters.expired),
    deadLetteredRecords: BigInt(replica.counters.deadLettered),
    residentRows: BigInt(replica.residentRows),
    residentBytes: BigInt(replica.residentBytes),
    stateHash: hash.hex,
    hashOffset: BigInt(hash.offset),
    originOffset: BigInt(replica.originOffset),
    stalledReason: slot.stalledReason,
    gaps: replica.gaps.map(gapMessage),
    progressedAtUs: BigInt(slot.endOffset < 0 ? 0 : slot.progressedAtUs),
    rowsPerSecond,
    applyShare,
    scanShare,
    topKeys: [...slot.topKeys],
  }
}
