import { type AnswerValue, compareValues } from './compare-values.ts'
import type { QueryPlan } from './plan-statement.ts'

export type AnswerRow = readonly AnswerValue[]

/**
 * Puts the rows of an aggregate in the order asked for, ties by the group keys, so that equal questions get equal
 * answers whatever shard was asked; then cuts at the limit. Null comes last in either direction.
 * Cost: O(rows log rows) comparisons of numbers, and a sort of the distinct texts of each column.
 */
export function orderRows(plan: QueryPlan, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  if (plan.kind === 'rows') return rows.slice(0, plan.limit)
  const keys = Array.from({ length: plan.keyCount }, (_, output) => ({ output, descending: false }))
  const ranks = [...plan.orderBy, ...keys].map(({ output, descending }) => {
    return ranksOf(
      rows.map((row) => row[output] ?? null),
      descending,
    )
  })
  const order = Uint32Array.from(rows.keys()).sort((left, right) => {
    for (const of of ranks) {
      const sign = of[left]! - of[right]!
      if (sign !== 0 && !Number.isNaN(sign)) return sign // NaN: both are null.
    }
    return left - right
  })
  const kept = plan.limit === undefined ? order : order.subarray(0, plan.limit)
  return Array.from(kept, (row) => rows[row]!)
}

/** Numbers in the order of the values: the values themselves where they are doubles, else their places among all. */
function ranksOf(values: readonly AnswerValue[], descending: boolean): Float64Array {
  const places = values.every((value) => value === null || typeof value === 'number')
    ? undefined
    : placesOf(values)
  const ranks = new Float64Array(values.length)
  for (let row = 0; row < ranks.length; row++) {
    const value = values[row] ?? null
    const rank = value === null ? Number.POSITIVE_INFINITY : (places?.get(value) ?? Number(value))
    ranks[row] = descending && value !== null ? -rank : rank
  }
  return ranks
}

/** Lists, which have no order, share a place; so do a number and a bigint of one value. */
function placesOf(values: readonly AnswerValue[]): Map<AnswerValue, number> {
  const distinct = [...new Set(values)].filter((value) => value !== null).toSorted(compareValues)
  const places = new Map<AnswerValue, number>()
  let place = 0
  for (const [at, value] of distinct.entries()) {
    if (at > 0 && compareValues(distinct[at - 1]!, value) !== 0) place += 1
    places.set(value, place)
  }
  return places
}
