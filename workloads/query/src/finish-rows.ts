import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { finalizePartial } from '@truenow/kernels/plan/finalize-partial.ts'
import { limitGroups } from '@truenow/kernels/plan/limit-groups.ts'
import { mergePartials } from '@truenow/kernels/plan/merge-partials.ts'
import { answerRows } from '@truenow/kernels/query/answer-rows.ts'
import { orderRows } from '@truenow/kernels/query/order-rows.ts'
import type { QueryPlan } from '@truenow/kernels/query/plan-statement.ts'
import { encodeRows } from './encode-answer.ts'
import type { CachedResult } from './result-cache.ts'
import type { Part } from './slot-task.ts'

/**
 * Merges what the shards answered, in slot order so that equal cuts give equal bits, finishes it and puts it in order. When
 * no slot answered there are no rows, not even the one of a plan without keys: a count of nobody is not zero.
 * Errors: TN_BLOCK_CORRUPT (a shard's batch), TN_QUERY_LIMIT (groups).
 */
export function finishRows(
  plan: QueryPlan,
  message: Plan,
  definition: TableDefinition,
  parts: readonly Part[],
): CachedResult {
  const ordered = parts.toSorted((a, b) => a.slot - b.slot)
  const read = {
    rowsScanned: ordered.reduce((sum, part) => sum + part.rowsScanned, 0),
    rowsMatched: ordered.reduce((sum, part) => sum + part.rowsMatched, 0),
    rowsFromRollups: ordered.reduce((sum, part) => sum + part.rowsFromRollups, 0),
  }
  if (ordered.length === 0) return { rowsText: '[]', warnings: [], ...read }
  const merged = mergePartials(
    message,
    definition,
    ordered.map(({ batch }) => decodeColumnBatch(batch, 0, true)),
  )
  const final = finalizePartial(message, definition, limitGroups(message, merged))
  const rows = answerRows(plan, final)
  const warnings = [...final.overflowed].map(
    (column) => `${plan.outputs[column]?.name} overflowed its type in some rows and is null there`,
  )
  return { rowsText: encodeRows(plan.outputs, orderRows(plan, rows)), warnings, ...read }
}
