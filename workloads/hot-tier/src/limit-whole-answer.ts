import { type Plan, SlotStatus } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { limitGroups } from '@truenow/kernels/plan/limit-groups.ts'

/**
 * The groups that the plan's limit leaves, where every slot of the table answered: only who sees all of them knows which groups
 * are the first. Otherwise the batch as it is. Cost: that of limitGroups.
 */
export function limitWholeAnswer(
  plan: Plan,
  definition: TableDefinition,
  answers: ReadonlyArray<Readonly<{ slot: number; status: SlotStatus }>>,
  batch: ColumnBatch,
): ColumnBatch {
  const served = answers.filter(({ status }) => status === SlotStatus.OK).map(({ slot }) => slot)
  return new Set(served).size === definition.slots ? limitGroups(plan, batch) : batch
}
