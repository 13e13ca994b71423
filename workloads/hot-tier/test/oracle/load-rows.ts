import type { DuckDBConnection } from '@duckdb/node-api'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { HeldRow } from './fold-plainly.ts'
import { shownId } from './statement-to-sql.ts'

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  string: 'VARCHAR',
  int64: 'BIGINT',
  float64: 'DOUBLE',
  bool: 'BOOLEAN',
  timestamp: 'BIGINT', // µs, as statements and answers have it.
}

/** Puts the rows into DuckDB's table `rows`, anew: the columns of the newest version, and who may see each row. */
export async function loadRows(
  duckdb: DuckDBConnection,
  definition: TableDefinition,
  held: readonly HeldRow[],
): Promise<void> {
  const columns = definition.columns.map(({ name, type }) => `${name} ${SQL_TYPES[type]}`)
  const own = [
    '_slot BIGINT, _from BIGINT, _gone BIGINT, _row BIGINT',
    `${definition.idColumn} VARCHAR`,
    `${definition.timeColumn} BIGINT`,
  ]
  await duckdb.run(`CREATE OR REPLACE TABLE rows (${[...own, ...columns].join(', ')})`)
  const appender = await duckdb.createAppender('rows')
  for (const { slot, fromOffset, goneAtOffset, rowNumber, row } of held) {
    for (const number of [slot, fromOffset, goneAtOffset, rowNumber]) appender.appendBigInt(BigInt(number))
    appender.appendVarchar(shownId(row.id))
    appender.appendBigInt(BigInt(row.timeUs))
    for (const [at, { type }] of definition.columns.entries()) {
      const cell = row.values[at] ?? null
      if (cell === null) appender.appendNull()
      else if (type === 'string') appender.appendVarchar(String(cell))
      else if (type === 'bool') appender.appendBoolean(cell === true)
      else if (type === 'float64') appender.appendDouble(Number(cell))
      else appender.appendBigInt(BigInt(cell))
    }
    appender.endRow()
  }
  appender.closeSync()
}
