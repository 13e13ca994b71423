import { type AnswerValue, compareValues } from './compare-values.ts'
import type { QueryPlan } from './plan-statement.ts'

export type AnswerRow = readonly AnswerValue[]

/**
 * Puts the rows of an aggregate in the order asked for, ties by the group keys, so that equal questions get equal
 * answers whatever shard was asked; then cuts at the limit. Null comes last in either direction.
 * Cost: O(rows log rows).
 */
export function orderRows(plan: QueryPlan, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  if (plan.kind === 'rows') return rows.slice(0, plan.limit)
  const keys = Array.from({ length: plan.keyCount }, (_, output) => ({ output, descending: false }))
  const order = [...plan.orderBy, ...keys]
  const ordered = rows.toSorted((left, right) => {
    for (const { output, descending } of order) {
      const a = left[output] ?? null
      const b = right[output] ?? null
      const sign = compareValues(a, b)
      if (sign !== 0) return descending && a !== null && b !== null ? -sign : sign
    }
    return 0
  })
  return plan.limit === undefined ? ordered : ordered.slice(0, plan.limit)
}
