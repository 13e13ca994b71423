import { rollupProblems } from '@truenow/contracts/rollup-problems.ts'
import type { Table } from './api/v1alpha1/table.ts'
import { tableDeclaration } from './table-declaration.ts'
import { identityProblem } from './table-identity.ts'

/** What is wrong with a Table's spec, each with path, rule and remedy; empty when nothing is. Pure. */
export function tableProblems(table: Table): string[] {
  const { spec } = table
  const problems: string[] = []
  const identity = identityProblem(table)
  if (identity !== undefined) problems.push(identity)
  const columns = new Set(spec.columns.map(({ name }) => name))
  if (columns.size < spec.columns.length) problems.push('spec.columns names a column twice; name each once')
  if (spec.idColumn === spec.timeColumn)
    problems.push('spec.idColumn and spec.timeColumn are the same; they must differ')
  if (columns.has(spec.idColumn) || columns.has(spec.timeColumn))
    problems.push('spec.columns repeats the id or time column, which every table has; leave it out')
  const unknown = (spec.partitionBy ?? []).filter((name) => name !== spec.idColumn && !columns.has(name))
  if (unknown.length > 0)
    problems.push('spec.partitionBy names a column that the table does not have; name columns of this table')
  try {
    const { columns: declared, rollups = [] } = tableDeclaration(table)
    problems.push(...rollupProblems(rollups, declared).map((problem) => `spec.${problem}`))
  } catch (error) {
    problems.push(`spec: ${(error as RangeError).message}`)
  }
  return problems
}
