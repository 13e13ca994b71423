import { create, fromBinary } from '@bufbuild/protobuf'
import {
  type GetPlacementResponse,
  GetPlacementResponseSchema,
  ReportShardRequestSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { readOpenMoves } from './move-rows.ts'
import { MOVE_PHASES } from './moves-message.ts'
import type { Parts } from './parts.ts'
import { readCatalog } from './read-catalog.ts'
import { silentShards } from './silent-shards.ts'

/** Catalog.GetPlacement: catalog and every shard's last report, at one revision, and what the last look at Kafka found. */
export function getPlacement({ store, clock, kafka }: Parts): Promise<GetPlacementResponse> {
  return store.read(async (query) => {
    const rows = await query<{
      shard: number
      incarnation: number
      address: string
      process_id: string
      reported_at_us: number
      report: Uint8Array
    }>(
      `SELECT shard.shard, incarnation, address, process_id, reported_at_us, report
       FROM $schema.shard AS shard JOIN $schema.shard_report USING (shard) ORDER BY shard.shard`,
    )
    const loads = rows.flatMap(({ shard, incarnation, address, process_id, reported_at_us, report }) => {
      const {
        slots,
        memoryBytes,
        memoryBytesMax,
        catalogRevision,
        processId,
        workers,
        volumeBytesFree,
        volumeBytesMax,
        incarnation: of,
      } = fromBinary(ReportShardRequestSchema, report)
      // What an incarnation before this one said is no load of this one.
      if (of !== BigInt(incarnation)) return []
      return [
        {
          shard,
          incarnation: of,
          address,
          reportedAtUs: BigInt(reported_at_us),
          memoryBytes,
          memoryBytesMax,
          slots,
          catalogRevision,
          processId,
          registeredProcessId: process_id,
          workers,
          volumeBytesFree,
          volumeBytesMax,
        },
      ]
    })
    const openMoves = await readOpenMoves(query)
    const kafkaTrouble = kafka.trouble()
    return create(GetPlacementResponseSchema, {
      catalog: await readCatalog(query),
      loads,
      silentShards: await silentShards(query, clock.nowUs()),
      openPlans: [...new Set(openMoves.map(({ planId }) => planId))],
      openMoves: openMoves.map(({ planId, namespace, name, slot, from, to, phase }) => ({
        planId,
        table: { namespace, name },
        slot,
        from,
        to,
        phase: MOVE_PHASES[phase],
      })),
      ...(kafkaTrouble === undefined ? {} : { kafkaTrouble }),
    })
  })
}
