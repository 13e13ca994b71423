import type { OutputColumn } from '@truenow/kernels/query/output-column.ts'
import type { Call } from './calls-of.ts'

/** What is rare, and must have been met for a run to be worth its name; answers.md counts it. */
export const EDGES = [
  'an integer sum beyond int64',
  'a float sum or variance beyond its range',
  'a variance of values that are nearly alike',
  'an estimate of more than 3,072 distinct values',
  'a quantile of more than 159 values',
  'a top_k of more than 1,024 values',
  'a range that begins or ends at the time of a row',
  'a table with a bucket that ends at the horizon',
  'a table with text codes of two bytes',
  'a table with text codes of four bytes',
  'refused by QUERY_SKETCH_BYTES_MAX',
] as const
export type Edge = (typeof EDGES)[number]

export type Verdict = Readonly<{ holds: boolean; edge?: Edge }>
export type JudgedOutput = Readonly<{ type: OutputColumn['type']; call?: Call }>
/** Whether a value of ours is what DuckDB says in `parts`, the columns that aggregate-sql.ts asks for. */
export type Judge = (mine: unknown, parts: readonly unknown[], output: JudgedOutput) => Verdict
