import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { targetOf } from './execute-plan.ts'

/**
 * Merges partial results of one plan (partial-result-v1) into one. Associative; commutative but for the order of groups
 * and the last bit of float64 sums. Over no batches: no groups, or the one group of a plan without keys.
 * Cost: O(rows of all batches). Errors: TN_BLOCK_CORRUPT, TN_QUERY_LIMIT (groups).
 */
export function mergePartials(
  plan: Plan,
  definition: TableDefinition,
  batches: Iterable<ColumnBatch>,
): ColumnBatch {
  const target = targetOf(plan, definition)
  for (const batch of batches) target.merge(batch)
  return target.batch()
}
