import type { Judge, JudgedOutput } from './verdict.ts'

/** Equal by the type of the column. */
export const judgeExactly: Judge = (mine, [theirs], { type }) => ({
  holds: exactText(mine, type) === exactText(theirs, type),
})

/** The same of a sum that DuckDB carries on with as HUGEINT, where ours is null: the second part tells. */
export const judgeIntegerSum: Judge = (mine, [theirs, whole], { type }) => {
  const holds = exactText(mine, type) === exactText(theirs, type)
  return theirs === null && whole !== null ? { holds, edge: 'an integer sum beyond int64' } : { holds }
}

/** A value as text by the type of its column, so that 1, 1n and 1.0 of an integer column agree, and -0 and 0 of a float one. */
export function exactText(value: unknown, type: JudgedOutput['type'] | undefined): string {
  if (value === null || value === undefined) return 'null'
  if (type === 'string') return JSON.stringify(value)
  if (type === 'bool') return String(value)
  if (type === 'float64') return String(Number(value) + 0)
  return String(BigInt(value as number | bigint))
}
