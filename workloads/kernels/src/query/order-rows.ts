import { type AnswerValue, compareValues } from './compare-values.ts'
import type { QueryPlan } from './plan-statement.ts'

export type AnswerRow = readonly AnswerValue[]

/**
 * Puts the rows of an aggregate in the order asked for, ties by the group keys, so that equal questions get equal
 * answers whatever shard was asked; then cuts at the limit. Null comes last in either direction.
 * Cost: O(rows log rows) comparisons of numbers, and a sort of the distinct texts of each column. Plain loops: a
 * callback a row showed in the profile of answers of ten thousand groups and more.
 */
export function orderRows(plan: QueryPlan, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  if (plan.kind === 'rows' || rows.length === 0) return rows.slice(0, plan.limit)
  const keys = Array.from({ length: plan.keyCount }, (_, output) => ({ output, descending: false }))
  const ranks = [...plan.orderBy, ...keys].map(({ output, descending }) => ranksOf(rows, output, descending))
  const order = orderByNumbers(ranks, rows.length) ?? orderByRanks(ranks, rows.length)
  const ordered: AnswerRow[] = []
  const count = Math.min(rows.length, plan.limit ?? rows.length)
  for (let place = 0; place < count; place++) ordered.push(rows[order[place]!]!)
  return ordered
}

/** A row's place in each column, and its number, as one integer: sorted without a call a comparison. Undefined where 53 bits are too few. */
function orderByNumbers(ranks: readonly Float64Array[], rowCount: number): Uint32Array | undefined {
  const columns = ranks.map(denseRanks)
  const all = columns.reduce((product, { count }) => product * count, rowCount)
  if (all > Number.MAX_SAFE_INTEGER) return undefined
  const numbers = new Float64Array(rowCount)
  for (const { places, least, count } of columns) {
    for (let row = 0; row < rowCount; row++) numbers[row] = numbers[row]! * count + (places[row]! - least)
  }
  for (let row = 0; row < rowCount; row++) numbers[row] = numbers[row]! * rowCount + row
  numbers.sort()
  const order = new Uint32Array(rowCount)
  for (let place = 0; place < rowCount; place++) order[place] = numbers[place]! % rowCount
  return order
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

/** Integers; from `least` on, `count` of them are possible. */
type Places = Readonly<{ places: Float64Array; least: number; count: number }>

/** The ranks themselves where they are integers near each other, else their places among all. */
function denseRanks(ranks: Float64Array): Places {
  let [least, most, isWhole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true]
  for (let row = 0; row < ranks.length; row++) {
    const rank = ranks[row]!
    if (rank < least) least = rank
    if (rank > most) most = rank
    isWhole &&= Number.isInteger(rank)
  }
  if (isWhole && most - least < 2 ** 32) return { places: ranks, least, count: most - least + 1 }
  const distinct = Float64Array.from(new Set(ranks)).sort()
  const placeOf = new Map<number, number>()
  for (const [place, rank] of distinct.entries()) placeOf.set(rank, place)
  const places = new Float64Array(ranks.length)
  for (let row = 0; row < places.length; row++) places[row] = placeOf.get(ranks[row]!)!
  return { places, least: 0, count: distinct.length }
}

/** Numbers in the order of the values: the values themselves where they are doubles, else their places among all. */
function ranksOf(rows: readonly AnswerRow[], output: number, descending: boolean): Float64Array {
  const places = isOfNumbers(rows, output) ? undefined : placesOf(rows, output)
  const ranks = new Float64Array(rows.length)
  for (let row = 0; row < ranks.length; row++) {
    const value = rows[row]![output] ?? null
    if (value === null) {
      ranks[row] = Number.POSITIVE_INFINITY
      continue
    }
    const rank = places?.get(value) ?? Number(value)
    ranks[row] = descending ? -rank : rank
  }
  return ranks
}

function isOfNumbers(rows: readonly AnswerRow[], output: number): boolean {
  for (let row = 0; row < rows.length; row++) {
    const value = rows[row]![output] ?? null
    if (value !== null && typeof value !== 'number') return false
  }
  return true
}

/** Lists, which have no order, share a place; so do a number and a bigint of one value. */
function placesOf(rows: readonly AnswerRow[], output: number): Map<AnswerValue, number> {
  const known = new Set<AnswerValue>()
  for (let row = 0; row < rows.length; row++) known.add(rows[row]![output] ?? null)
  known.delete(null)
  const distinct = [...known].toSorted(compareValues)
  const places = new Map<AnswerValue, number>()
  let place = 0
  for (const [at, value] of distinct.entries()) {
    if (at > 0 && compareValues(distinct[at - 1]!, value) !== 0) place += 1
    places.set(value, place)
  }
  return places
}
