import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { AggregatePlan, Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { targetOf } from './execute-plan.ts'
import { GroupTable, groupsLimitError } from './group-table.ts'

/**
 * Merges partial results of one plan (partial-result-v1) into one. Associative; commutative but for the order of groups
 * and the last bit of float64 sums. Over no batches: no groups, or the one group of a plan without keys. One batch alone
 * is the result, once it has been found to have the columns of the plan.
 * Cost: O(rows of all batches). Errors: TN_BLOCK_CORRUPT, TN_QUERY_LIMIT (groups).
 */
export function mergePartials(
  plan: Plan,
  definition: TableDefinition,
  batches: Iterable<ColumnBatch>,
): ColumnBatch {
  const target = targetOf(plan, definition)
  const [first, ...others] = batches
  if (first === undefined) return target.batch()
  if (plan.shape.case === 'aggregate' && target instanceof GroupTable && others.length === 0)
    return alone(plan.shape.value, first, target.batch())
  for (const batch of [first, ...others]) target.merge(batch)
  return target.batch()
}

/** A batch as it is; `empty` has the columns that it must have. */
function alone({ keys, groupsMax }: AggregatePlan, batch: ColumnBatch, empty: ColumnBatch): ColumnBatch {
  const byName = new Map(batch.columns.map(({ name, column }) => [name, column]))
  const columns = empty.columns.map(({ name, column: { type } }) => {
    const column = byName.get(name)
    if (column?.type === type) return { name, column }
    const found = column === undefined ? 'lacks the column' : `has as ${column.type}, not ${type}, the column`
    throw new TrueNowError('TN_BLOCK_CORRUPT', `A partial result ${found} ${name}.`)
  })
  if (keys.length === 0 && batch.rowCount !== 1)
    throw new TrueNowError(
      'TN_BLOCK_CORRUPT',
      `A partial result without keys has ${batch.rowCount} groups, not 1.`,
    )
  if (groupsMax > 0 && batch.rowCount > groupsMax) throw groupsLimitError(groupsMax)
  return { rowCount: batch.rowCount, columns }
}
