import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import { arbitraryStatement } from './arbitrary-statement.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import type { OracleCase } from './judge-case.ts'

/** A table with `queries` statements. In half of the cases a part of the log comes while they run. */
export function arbitraryCase(queries: number): fc.Arbitrary<OracleCase> {
  return arbitraryTable.chain((table) => {
    const asked = table.versions.map((definition: TableDefinition) =>
      arbitraryStatement(definition, table.styles).map((statement) => ({ statement, definition })),
    )
    const statements = fc.array(fc.oneof(...asked), { minLength: queries, maxLength: queries, size: 'max' })
    return fc.record({
      table: fc.constant(table),
      statements,
      share: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 0.7, noNaN: true })),
    })
  })
}
