import type { MessageInitShape } from '@bufbuild/protobuf'
import { SlotHealth, type TableFreshnessSchema } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import type { TableFreshness } from './judge-table.ts'

/** A table's freshness as gRPC tells it. Unknown is an absent field. */
export function freshnessMessage(freshness: TableFreshness): MessageInitShape<typeof TableFreshnessSchema> {
  const { watermarkUs, freshnessUs } = freshness
  return {
    table: { namespace: freshness.namespace, name: freshness.table },
    ...(watermarkUs === undefined ? {} : { watermarkUs: BigInt(watermarkUs) }),
    ...(freshnessUs === undefined ? {} : { freshnessUs: BigInt(freshnessUs) }),
    residentRows: BigInt(freshness.residentRows),
    slots: freshness.slots.map((slot) => ({
      slot: slot.slot,
      health: SlotHealth[slot.health],
      ...(slot.watermarkUs === undefined ? {} : { watermarkUs: BigInt(slot.watermarkUs) }),
      cursorOffset: BigInt(slot.cursorOffset),
      endOffset: BigInt(slot.endOffset),
      servingReplicas: slot.servingReplicas,
      culprit: slot.culprit,
      mismatch: slot.mismatch,
    })),
  }
}
