import type { Final } from '../plan/finalize-partial.ts'
import type { AnswerRow } from './order-rows.ts'
import type { QueryPlan } from './plan-statement.ts'

/** The rows of an answer, every value made; bools, which partial results have as 0 and 1, as such. */
export function answerRows({ outputs }: Pick<QueryPlan, 'outputs'>, final: Final): AnswerRow[] {
  const bools = outputs.map(({ type }) => type === 'bool')
  const rows: AnswerRow[] = []
  for (let row = 0; row < final.rowCount; row++) {
    const values = new Array(outputs.length)
    for (let column = 0; column < values.length; column++) {
      const value = final.value(row, column)
      values[column] = bools[column] === true && typeof value === 'number' ? value === 1 : value
    }
    rows.push(values)
  }
  return rows
}
