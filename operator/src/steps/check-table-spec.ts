import type { Table } from '../api/v1alpha1/table.ts'
import type { Step } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableProblems } from '../table-problems.ts'

/** Judges the spec inside the loop too: the CRD's rules may be absent, and a bad spec must be said, not acted on. */
export const checkTableSpec: Step<Table, TableFacts> = {
  name: 'check-table-spec',
  condition: 'SpecValid',
  run: async (table) => {
    const problems = tableProblems(table)
    if (problems.length === 0) return { kind: 'done' }
    return { kind: 'invalid', reason: 'InvalidSpec', message: `${problems.join('; ')}.` }
  },
}
