import type { QueryAnswer } from '@truenow/contracts/query-statement.ts'
import type { AnswerRow } from '@truenow/kernels/query/order-rows.ts'
import type { OutputColumn } from '@truenow/kernels/query/output-column.ts'

/** Everything of an answer but its rows. */
export type AnswerHead = Omit<QueryAnswer, 'rows'>

/**
 * Rows as a JSON list of objects. Written by hand because JSON.stringify refuses bigints, whose digits must stay exact,
 * and would say null for what is not finite without anyone noticing (finalizing did that, with a warning).
 */
export function encodeRows(columns: readonly OutputColumn[], rows: readonly AnswerRow[]): string {
  const names = columns.map(({ name }) => `${JSON.stringify(name)}:`)
  const texts = rows.map((row) => {
    const cells = row.map(
      (value, at) => `${names[at]}${typeof value === 'bigint' ? value : JSON.stringify(value)}`,
    )
    return `{${cells.join(',')}}`
  })
  return `[${texts.join(',')}]`
}

/** The whole answer as JSON text. */
export function encodeAnswer({ columns, ...rest }: AnswerHead, rowsText: string): string {
  return `{"columns":${JSON.stringify(columns)},"rows":${rowsText},${JSON.stringify(rest).slice(1)}`
}
