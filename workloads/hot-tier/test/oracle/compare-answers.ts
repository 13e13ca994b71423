import type { SqlOutput, SqlStatement } from './statement-to-sql.ts'

export type OurRow = Readonly<Record<string, unknown>>
/** Relative to the value, and beside it to Σ|x|, for sums whose terms cancel: two units in the last place of that. */
const RELATIVE = 1e-9
const OF_MAGNITUDE = 4.5e-16
const OVERFLOW = 2 ** 960 // Sums scaled by 2^-64 that are this large do not fit a double.

/**
 * Why our rows are not DuckDB's; undefined = they are. Values are equal exactly, sums and means of floats within
 * RELATIVE of the value or OF_MAGNITUDE of Σ|x|. Rows stand in the same places where the order is exact, else any order is fine
 * as long as the same groups are there.
 */
export function compareAnswers(
  ours: readonly OurRow[],
  theirs: readonly (readonly unknown[])[],
  { outputs, ordered }: SqlStatement,
): string | undefined {
  if (ours.length !== theirs.length) return `${ours.length} rows, DuckDB has ${theirs.length}`
  const mine = ours.map((row) => Object.values(row))
  const exact = outputs.flatMap(({ parts }, at) => (parts === 1 ? [at] : []))
  const columnAt = outputs.map((_, at) => outputs.slice(0, at).reduce((sum, { parts }) => sum + parts, 0))
  const theirKey = (row: readonly unknown[]) =>
    exact.map((at) => text(row[columnAt[at] as number], outputs[at])).join('\u0001')
  const ourKey = (row: readonly unknown[]) => exact.map((at) => text(row[at], outputs[at])).join('\u0001')
  // Without an exact order both sides are put into one: groups differ in their keys, which are exact.
  const left = ordered ? mine : mine.toSorted((a, b) => (ourKey(a) < ourKey(b) ? -1 : 1))
  const right = ordered ? theirs : theirs.toSorted((a, b) => (theirKey(a) < theirKey(b) ? -1 : 1))
  for (const [index, row] of left.entries()) {
    const other = right[index] as readonly unknown[]
    if (row.length !== outputs.length) return `row ${index} has ${row.length} columns of ${outputs.length}`
    for (const [at, output] of outputs.entries()) {
      const from = columnAt[at] as number
      if (!same(row[at], other.slice(from, from + output.parts), output))
        return `row ${index}, column ${at}: ${text(row[at], output)}, DuckDB has ${other.slice(from, from + output.parts).map(String)}`
    }
  }
  return undefined
}

function same(mine: unknown, parts: readonly unknown[], output: SqlOutput): boolean {
  if (output.parts === 1) return text(mine, output) === text(parts[0], output)
  if (parts[0] === null) return mine === null
  const [value = 0, magnitude = 0, scaled = 0, scaledSum = 0] = parts.map(Number)
  if (Number.isFinite(magnitude)) {
    const error = Math.abs(Number(mine) - value)
    return mine !== null && error <= RELATIVE * Math.abs(value) + OF_MAGNITUDE * magnitude
  }
  // A float sum that is not finite is null. Where great terms cancel, it depends on their order whether one is on the way.
  if (mine === null) return true
  return Math.abs(scaledSum) < OVERFLOW && Math.abs(Number(mine) * 2 ** -64 - scaled) <= RELATIVE * OVERFLOW
}

/** A value as text by the type of its column, so that 1, 1n and 1.0 of an integer column agree, and -0 and 0 of a float one. */
function text(value: unknown, output: SqlOutput | undefined): string {
  if (value === null || value === undefined) return 'null'
  if (output?.type === 'string') return JSON.stringify(value)
  if (output?.type === 'bool') return String(value)
  if (output?.type === 'float64') return String(Number(value) + 0)
  return String(BigInt(value as number | bigint))
}
