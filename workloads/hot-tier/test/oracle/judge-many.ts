import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { arbitraryCase, arbitraryLargeCase, STATEMENTS_A_TABLE } from './arbitrary-case.ts'
import { judgeCase, type OracleCase } from './judge-case.ts'
import { Tally } from './tally.ts'

/**
 * A batch is a run of its own, whose seed is one above that of the batch before: a failure is repeated in seconds. It begins
 * with one table of tens of thousands of texts.
 */
const TABLES_A_BATCH = 40

export type JudgeManyOptions = Readonly<{
  shrinks?: boolean
  onTable?: (tally: Tally) => void
  /** Asked between two batches: ends the run before its time. */
  isEnough?: () => boolean
}>

/**
 * Asks at least `queries` random statements; the same seed asks the same. Errors: the batch's seed, what differs, and the
 * table, shrunk if `shrinks`.
 */
export async function judgeMany(
  seed: number,
  queries: number,
  { shrinks = true, onTable = () => {}, isEnough = () => false }: JudgeManyOptions = {},
): Promise<Tally> {
  // One thread: the answers must not depend on how DuckDB splits its work, and a tiny query is faster so.
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const duckdb = await instance.connect()
  const tally = new Tally()
  const holds = async (given: OracleCase) => {
    await judgeCase(given, duckdb, tally)
    onTable(tally)
  }
  const check = async (one: fc.Arbitrary<OracleCase>, batch: number, numRuns: number) => {
    const parameters = { seed: seed + batch, numRuns, endOnFailure: !shrinks }
    const found = await fc.check(fc.asyncProperty(one, holds), parameters)
    if (found.failed) throw failure(found)
  }
  try {
    for (let batch = 0; tally.queries < queries && !isEnough(); batch++) {
      await check(arbitraryLargeCase, batch, 1)
      const left = Math.max(1, Math.ceil((queries - tally.queries) / STATEMENTS_A_TABLE))
      await check(arbitraryCase, batch, Math.min(TABLES_A_BATCH, left))
    }
  } finally {
    duckdb.closeSync()
    instance.closeSync()
  }
  return tally
}

/** A statement that was answered wrong, or not at all. */
export class WrongAnswer extends Error {}

function failure({ seed, counterexample, errorInstance }: fc.RunDetails<[OracleCase]>): WrongAnswer {
  const [given] = counterexample ?? []
  const why = errorInstance instanceof Error ? errorInstance.message : String(errorInstance)
  const lines = [`SEED=${seed} repeats it: ${why}`, `table: ${JSON.stringify(given?.table)}`]
  return new WrongAnswer(lines.join('\n'), { cause: errorInstance })
}
