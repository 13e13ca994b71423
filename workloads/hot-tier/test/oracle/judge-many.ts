import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { arbitraryCase } from './arbitrary-case.ts'
import { type Judged, judgeCase } from './judge-case.ts'

/** Statements that are asked of one table: DuckDB's table is made once for them. */
const QUERIES_A_TABLE = 20

/** Asks at least `queries` random statements; the same seed asks the same. Errors: fast-check's, with seed, path and the report of the shrunk case. */
export async function judgeMany(
  seed: number,
  queries: number,
  onCase: (total: Judged & { tables: number }) => void = () => {},
): Promise<Judged & { tables: number }> {
  // One thread: the answers must not depend on how DuckDB splits its work, and a tiny query is faster so.
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const duckdb = await instance.connect()
  const total = {
    tables: 0,
    queries: 0,
    whileArriving: 0,
    fromRollups: 0,
    rowsHeld: 0,
    rowsAnswered: 0,
    answersEmpty: 0,
  }
  const property = fc.asyncProperty(arbitraryCase(QUERIES_A_TABLE), async (given) => {
    const judged = await judgeCase(given, duckdb)
    for (const name of Object.keys(judged) as (keyof Judged)[]) total[name] += judged[name]
    total.tables += 1
    onCase(total)
  })
  try {
    await fc.assert(property, { seed, numRuns: Math.ceil(queries / QUERIES_A_TABLE) })
  } finally {
    duckdb.closeSync()
    instance.closeSync()
  }
  return total
}
