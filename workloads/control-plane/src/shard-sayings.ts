import { fromBinary } from '@bufbuild/protobuf'
import type { Query } from '@truenow/chassis/postgres-port.ts'
import {
  type ReportShardRequest,
  ReportShardRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Registered } from '@truenow/kernels/sharding/move-protocol.ts'

/** A shard as it registered, with the last it said. */
export type ShardSaying = Registered &
  Readonly<{ reportedAtUs: number; report: ReportShardRequest | undefined }>

/** Every shard that ever registered, by ordinal. */
export async function readShardSayings(query: Query): Promise<ReadonlyMap<number, ShardSaying>> {
  const rows = await query<{
    shard: number
    incarnation: number
    process_id: string
    reported_at_us: number | null
    report: Uint8Array | null
  }>(
    `SELECT shard.shard, incarnation, process_id, reported_at_us, report
     FROM $schema.shard AS shard LEFT JOIN $schema.shard_report USING (shard)`,
  )
  return new Map(
    rows.map(({ shard, incarnation, process_id, reported_at_us, report }) => [
      shard,
      {
        incarnation,
        processId: process_id,
        reportedAtUs: reported_at_us ?? 0,
        report: report === null ? undefined : fromBinary(ReportShardRequestSchema, report),
      },
    ]),
  )
}

/** What a report says of one slot; undefined: it does not list it. */
export const slotStateOf = (
  report: ReportShardRequest | undefined,
  at: Readonly<{ namespace: string; name: string; slot: number }>,
): SlotState | undefined =>
  report?.slots.find(
    ({ table, slot }) => table?.namespace === at.namespace && table.name === at.name && slot === at.slot,
  )
