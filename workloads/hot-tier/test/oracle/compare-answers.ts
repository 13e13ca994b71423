import { exactText } from './judge-exactly.ts'
import type { SqlStatement } from './statement-to-sql.ts'
import type { Edge } from './verdict.ts'

export type OurRow = Readonly<Record<string, unknown>>

/**
 * Why our rows are not DuckDB's; undefined = they are. Each column is judged as aggregate-sql.ts says. Rows stand in the same
 * places where the order is exact; where it goes by a value that is not, the same groups must be there, in the order of our
 * own values. `meet` is told of what is rare.
 */
export function compareAnswers(
  ours: readonly OurRow[],
  theirs: readonly (readonly unknown[])[],
  { outputs, ordered, order }: SqlStatement,
  meet: (edge: Edge) => void,
): string | undefined {
  if (ours.length !== theirs.length) return `${ours.length} rows, DuckDB has ${theirs.length}`
  const names = outputs.map(({ name }) => name).join()
  for (const row of ours) {
    if (Object.keys(row).join() !== names) return `columns ${Object.keys(row)}, asked were ${names}`
  }
  const mine = ours.map((row) => Object.values(row))
  if (!ordered) {
    const wrong = mine.findIndex((row, at) => at > 0 && compareRows(mine[at - 1]!, row, order) > 0)
    if (wrong >= 0) return `row ${wrong} stands behind one that should follow it`
  }
  const columnAt = outputs.map((_, at) => outputs.slice(0, at).reduce((sum, { parts }) => sum + parts, 0))
  const exact = outputs.flatMap(({ isExact }, at) => (isExact ? [at] : []))
  const keyOf = (row: readonly unknown[], places: readonly number[]) =>
    exact.map((at) => exactText(row[places[at]!], outputs[at]!.type)).join('\u0001')
  // Groups differ in their keys, which are exact.
  const sorted = (rows: readonly (readonly unknown[])[], places: readonly number[]) =>
    ordered
      ? rows
      : rows
          .map((row) => ({ row, key: keyOf(row, places) }))
          .sort((a, b) => (a.key < b.key ? -1 : 1))
          .map(({ row }) => row)
  const right = sorted(theirs, columnAt)
  for (const [index, row] of sorted(mine, [...outputs.keys()]).entries()) {
    for (const [at, output] of outputs.entries()) {
      const parts = right[index]!.slice(columnAt[at]!, columnAt[at]! + output.parts)
      const { holds, edge } = output.judge(row[at], parts, output)
      if (edge !== undefined) meet(edge)
      if (!holds) return `row ${index}, ${output.name}: ${shown(row[at])}, DuckDB has ${shown(parts)}`
    }
  }
  return undefined
}

/** Null is last in either direction. */
function compareRows(a: readonly unknown[], b: readonly unknown[], order: SqlStatement['order']): number {
  for (const { output, descending } of order) {
    const [left, right] = [a[output], b[output]]
    if (left === null || right === null) {
      if (left !== right) return left === null ? 1 : -1
      continue
    }
    const sign = compareValues(left, right)
    if (sign !== 0) return descending ? -sign : sign
  }
  return 0
}

function compareValues(left: unknown, right: unknown): number {
  if (typeof left === 'string') return Buffer.compare(Buffer.from(left), Buffer.from(String(right)))
  const [a, b] = [left as number | bigint | boolean, right as number | bigint | boolean]
  return a < b ? -1 : a > b ? 1 : 0
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_key, one) => (typeof one === 'bigint' ? String(one) : one)).slice(0, 2_000)
