import { QUERY_TOP_K_DEFAULT } from '@truenow/contracts/query-statement.ts'
import { TOP_K_VALUES_MAX } from '@truenow/contracts/wire/top-k-v1.ts'
import { COUNT_MIN_RELATIVE_ERROR } from '@truenow/kernels/sketches/count-min.ts'
import type { Judge, Verdict } from './verdict.ts'

type Entry = Readonly<{ value: unknown; count: number; error_max: number }>
type Counted = Readonly<{ value: unknown; count: number }>
/** A value with a greater share of the rows is among the candidates (kernels/src/sketches/top-k.ts). */
const NEVER_MISSED = 1 / TOP_K_VALUES_MAX + 0.0007

/**
 * The most frequent values by all values with their counts (a MAP, the one part). Up to 1,024 different ones: exactly those,
 * most frequent first, ties ascending. More: no count is under, none over by more than the stated error, and no value that
 * may not be missed is missing.
 */
export const judgeTopK: Judge = (mine, [map], { call }) => {
  if (!Array.isArray(mine)) return { holds: false }
  const k = call?.k ?? QUERY_TOP_K_DEFAULT
  const entries = mine.map(
    ({ value, count, error_max }): Entry => ({
      value,
      count: Number(count),
      error_max: Number(error_max),
    }),
  )
  const pairs = (map as Readonly<{ entries: readonly { key: unknown; value: unknown }[] }> | null)?.entries
  const truth = (pairs ?? []).map(({ key, value }): Counted => ({ value: key, count: Number(value) }))
  if (truth.length <= TOP_K_VALUES_MAX) {
    const wanted = truth.toSorted(byCount).slice(0, k)
    const same = ({ value, count }: Counted, at: number) =>
      textOf(value) === textOf(entries[at]?.value) &&
      count === entries[at]?.count &&
      entries[at]?.error_max === 0
    return { holds: wanted.length === entries.length && wanted.every(same) }
  }
  return { holds: holdsInSketch(entries, truth, k), edge: 'a top_k of more than 1,024 values' }
}

function holdsInSketch(entries: readonly Entry[], truth: readonly Counted[], k: number): Verdict['holds'] {
  const counts = new Map(truth.map(({ value, count }) => [textOf(value), count]))
  const total = truth.reduce((sum, { count }) => sum + count, 0)
  const errorMax = Math.ceil(total * COUNT_MIN_RELATIVE_ERROR)
  const counted = entries.every(({ value, count, error_max }) => {
    const own = counts.get(textOf(value))
    return own !== undefined && error_max === errorMax && count >= own && count <= own + errorMax
  })
  const ordered = entries.every((entry, at) => at === 0 || byCount(entries[at - 1]!, entry) < 0)
  const listed = new Set(entries.map(({ value }) => textOf(value)))
  const last = entries.at(-1)?.count ?? 0
  const missed = truth.some(
    ({ value, count }) => count > NEVER_MISSED * total && count > last && !listed.has(textOf(value)),
  )
  return entries.length === k && counted && ordered && !missed
}

/** Most frequent first, then ascending: text by its UTF-8 bytes. */
function byCount(a: Counted, b: Counted): number {
  if (a.count !== b.count) return b.count - a.count
  if (typeof a.value === 'string') return Buffer.compare(Buffer.from(a.value), Buffer.from(String(b.value)))
  return Number(a.value) - Number(b.value)
}

/** Numbers alike whether they came as bigint or double. */
const textOf = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value)
    : typeof value === 'boolean'
      ? `${value}`
      : String(Number(value))
