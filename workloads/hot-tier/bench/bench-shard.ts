import { join } from 'node:path'
import { create } from '@bufbuild/protobuf'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import {
  type PartialQueryRequest,
  PartialQueryRequestSchema,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { TextPools } from '@truenow/kernels/columns/text-pool.ts'
import { finalizePartial } from '@truenow/kernels/plan/finalize-partial.ts'
import { limitGroups } from '@truenow/kernels/plan/limit-groups.ts'
import { mergePartials } from '@truenow/kernels/plan/merge-partials.ts'
import { answerRows } from '@truenow/kernels/query/answer-rows.ts'
import { type AnswerRow, orderRows } from '@truenow/kernels/query/order-rows.ts'
import { planStatement } from '@truenow/kernels/query/plan-statement.ts'
import { IdWindow } from '@truenow/kernels/replica/id-window.ts'
import { SlotReplica } from '@truenow/kernels/replica/slot-replica.ts'
import { Registry } from 'prom-client'
import { type Arenas, createArenas } from '../src/create-arenas.ts'
import { createHotTierMetrics } from '../src/metrics.ts'
import type { ShardSlot } from '../src/shard-slot.ts'
import { slotInHand } from '../src/testing/slot-in-hand.ts'
import { createVolumeRunFiles } from '../src/volume-run-files.ts'

/** Groups that a plan of the benchmark may have: the row of 1 M keys stands at the product's own limit. */
const GROUPS_MAX = 2_000_000

/** One arena of the shard, as large as there is. */
const MEMORY_BYTES = 3 * 1024 ** 3

/** One shard that serves every slot of a table; runs of older ids lie in `directory`, without one in memory. */
export function createBenchShard(definition: TableDefinition, directory?: string): readonly ShardSlot[] {
  const definitions = new Map([[definition.version, definition]])
  const table: TableView = { definition, definitions, topic: 't', uid: 'u', slots: [] }
  const metrics = createHotTierMetrics(new Registry())
  const [{ arena, idArena }] = createArenas(MEMORY_BYTES) as [Arenas]
  const memory = { arena, texts: new TextPools(arena) }
  return Array.from({ length: definition.slots }, (_, slot) => {
    return slotInHand({
      table,
      slot,
      metrics,
      clock: { nowUs: () => 0, monotonicMs: () => performance.now() },
      replica: new SlotReplica(definition, {
        ...memory,
        ids: new IdWindow(
          directory === undefined ? undefined : createVolumeRunFiles(join(directory, String(slot))),
          {},
          idArena,
        ),
      }),
    })
  })
}

/** One statement through `execute`, the shard's entry, and what the query role does after it: decode, merge, finalize, order. */
export async function askShard(
  execute: (request: PartialQueryRequest) => Promise<Readonly<{ batch: Uint8Array }>>,
  definition: TableDefinition,
  statement: QueryStatement,
): Promise<readonly AnswerRow[]> {
  const planned = planStatement(statement, definition)
  const plan = create(PlanSchema, planned.partial)
  if (plan.shape.case === 'aggregate') plan.shape.value.groupsMax = GROUPS_MAX
  const asked = Array.from({ length: definition.slots }, (_, slot) => ({
    slot,
    epoch: 1n,
    incarnation: 1n,
    shards: [0],
    atLeastOffset: -1n,
  }))
  const { namespace, name } = definition
  const request = create(PartialQueryRequestSchema, { table: { namespace, name }, plan, slots: asked })
  const { batch } = await execute(request)
  const merged = limitGroups(plan, mergePartials(plan, definition, [decodeColumnBatch(batch, 0, true)]))
  const final = finalizePartial(plan, definition, merged)
  return orderRows(planned, answerRows(planned, final))
}
