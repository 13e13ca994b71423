import { type AnswerValue, compareValues } from './compare-values.ts'
import type { QueryPlan } from './plan-statement.ts'

export type AnswerRow = readonly AnswerValue[]

/**
 * Puts the rows of an aggregate in the order asked for, ties by the group keys, so that equal questions get equal
 * answers whatever shard was asked; then cuts at the limit. Null comes last in either direction.
 * Cost: O(rows log rows) comparisons of numbers, and a sort of the distinct texts of each column.
 */
export function orderRows(plan: QueryPlan, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  if (plan.kind === 'rows' || rows.length === 0) return rows.slice(0, plan.limit)
  const keys = Array.from({ length: plan.keyCount }, (_, output) => ({ output, descending: false }))
  const ranks = [...plan.orderBy, ...keys].map(({ output, descending }) => {
    return ranksOf(
      rows.map((row) => row[output] ?? null),
      descending,
    )
  })
  const order = orderByNumbers(ranks, rows.length) ?? orderByRanks(ranks, rows.length)
  const kept = plan.limit === undefined ? order : order.subarray(0, plan.limit)
  return Array.from(kept, (row) => rows[row]!)
}

/** A row's place in each column, and its number, as one integer: sorted without a call a comparison. Undefined where 53 bits are too few. */
function orderByNumbers(ranks: readonly Float64Array[], rowCount: number): Uint32Array | undefined {
  const columns = ranks.map(denseRanks)
  const all = columns.reduce((product, { count }) => product * count, rowCount)
  if (all > Number.MAX_SAFE_INTEGER) return undefined
  const numbers = new Float64Array(rowCount)
  for (const { places, count } of columns) {
    for (let row = 0; row < rowCount; row++) numbers[row] = numbers[row]! * count + places[row]!
  }
  for (let row = 0; row < rowCount; row++) numbers[row] = numbers[row]! * rowCount + row
  return Uint32Array.from(numbers.sort(), (number) => number % rowCount)
}

function orderByRanks(ranks: readonly Float64Array[], rowCount: number): Uint32Array {
  return Uint32Array.from({ length: rowCount }, (_, row) => row).sort((left, right) => {
    for (const of of ranks) {
      const sign = of[left]! - of[right]!
      if (sign !== 0 && !Number.isNaN(sign)) return sign // NaN: both are null.
    }
    return left - right
  })
}

type Places = Readonly<{ places: Float64Array; count: number }>

/** Ranks as integers below `count`: above the least where they are integers near each other, else places among all. */
function denseRanks(ranks: Float64Array): Places {
  let [least, most, isWhole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true]
  for (const rank of ranks) {
    least = Math.min(least, rank)
    most = Math.max(most, rank)
    isWhole &&= Number.isInteger(rank)
  }
  if (isWhole && most - least < 2 ** 32) {
    return { places: ranks.map((rank) => rank - least), count: most - least + 1 }
  }
  const distinct = Float64Array.from(new Set(ranks)).sort()
  const placeOf = new Map<number, number>()
  for (const [place, rank] of distinct.entries()) placeOf.set(rank, place)
  return { places: ranks.map((rank) => placeOf.get(rank)!), count: distinct.length }
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
