import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import { arbitraryStatement, type NamedValues } from './arbitrary-statement.ts'
import { arbitraryTable, type OracleTable, tableOf } from './arbitrary-table.ts'
import type { OracleCase } from './judge-case.ts'

/** Statements that are asked of one table: DuckDB's table is made once for them. Large tables cost more, and get fewer. */
export const STATEMENTS_A_TABLE = 50
const statementsFor = (rows: number): number =>
  rows <= 1_000 ? STATEMENTS_A_TABLE : rows <= 10_000 ? 20 : 25
/** Rows whose values statements may name, at most. */
const NAMED_MAX = 40

/** Share of the log that is there before the first statement. */
const someShare = fc.oneof(
  { weight: 1, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.double({ min: 0, max: 0.5, noNaN: true }) },
)
/** Its wide codes are there when most of its few statements are asked. */
const largeShare = fc.constantFrom(0.8, 1)

/** A table with statements. In three cases of four a part of the log comes while they run. */
export const arbitraryCase: fc.Arbitrary<OracleCase> = arbitraryTable.chain((table) =>
  statementsOver(table, someShare),
)
export const arbitraryLargeCase: fc.Arbitrary<OracleCase> = tableOf('texts').chain((table) =>
  statementsOver(table, largeShare),
)

function statementsOver(table: OracleTable, share: fc.Arbitrary<number>): fc.Arbitrary<OracleCase> {
  const named = namedOf(table)
  const asked = table.versions.map((definition: TableDefinition) =>
    arbitraryStatement(definition, table.shapes, named).map((statement) => ({ statement, definition })),
  )
  const drawn = table.records.reduce((sum, { rows }) => sum + rows.length, 0)
  const length = statementsFor(drawn * table.copies)
  return fc.record({
    table: fc.constant(table),
    statements: fc.array(fc.oneof(...asked), { minLength: length, maxLength: length, size: 'max' }),
    share,
  })
}

/** What rows of the table have: event times, ids, and values of each column that are not null. */
function namedOf({ records, shapes }: OracleTable): NamedValues {
  const rows = records.flatMap(({ appendTimeUs, rows: drawn }) =>
    drawn.map(({ id, lagUs, cells }) => ({ id, timeUs: appendTimeUs - lagUs, cells })),
  )
  const some = rows.filter((_, at) => at % Math.ceil(rows.length / NAMED_MAX) === 0)
  return {
    instants: some.map(({ timeUs }) => timeUs),
    ids: some.map(({ id }) => id),
    cells: shapes.map((_, at) => some.flatMap(({ cells }) => cells[at] ?? [])),
  }
}
