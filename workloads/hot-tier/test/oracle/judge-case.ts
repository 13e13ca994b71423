import { setImmediate as turn } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import type { DuckDBConnection } from '@duckdb/node-api'
import { PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { planStatement } from '@truenow/kernels/query/plan-statement.ts'
import { encodeRows } from '@truenow/kernels/replica/testing/encode-rows.ts'
import { finishRows } from '@truenow/query/finish-rows.ts'
import type { OracleTable } from './arbitrary-table.ts'
import { compareAnswers, type OurRow } from './compare-answers.ts'
import { foldPlainly } from './fold-plainly.ts'
import { loadRows } from './load-rows.ts'
import { type LogBlock, ShardsInHand } from './shards-in-hand.ts'
import { statementToSql } from './statement-to-sql.ts'

export type OracleCase = Readonly<{
  table: OracleTable
  /** Each with the table version that it is planned for. */
  statements: ReadonlyArray<Readonly<{ statement: QueryStatement; definition: TableDefinition }>>
  /** Share of the log that is applied before the first statement; the rest comes while they run. */
  share: number
}>
export type Judged = {
  queries: number
  whileArriving: number
  /** Answers for which cells of rollups were read. */
  fromRollups: number
  rowsHeld: number
  rowsAnswered: number
  answersEmpty: number
}

/**
 * Asks our shards and DuckDB every statement of one case and holds the answers against each other, each at the offsets that
 * our answer says it has seen. Errors: the statement, its SQL and both answers when they differ.
 */
export async function judgeCase(
  { table, statements, share }: OracleCase,
  duckdb: DuckDBConnection,
): Promise<Judged> {
  const newest = table.versions.at(-1) as TableDefinition
  const bySlot = Map.groupBy(table.records, ({ slot }) => slot)
  const held = [...bySlot.values()].flatMap(foldPlainly)
  await loadRows(duckdb, newest, held)
  const shards = new ShardsInHand(table.versions, table.shards)
  const waiting = table.records.map(
    ({ rows, definition, ...record }): LogBlock => ({ ...record, value: encodeRows(rows, definition) }),
  )
  for (const block of waiting.splice(0, Math.floor(waiting.length * share))) shards.take(block)
  const judged: Judged = {
    queries: 0,
    whileArriving: 0,
    fromRollups: 0,
    rowsHeld: held.length,
    rowsAnswered: 0,
    answersEmpty: 0,
  }
  for (const [index, { statement, definition }] of statements.entries()) {
    const plan = planStatement(statement, definition)
    const message = create(PlanSchema, plan.partial)
    // As many blocks as the statements that are left leave for this one: before the cuts of some, in pauses of the others.
    let budget = Math.ceil(waiting.length / (statements.length - index))
    let running = true
    const applyNext = (): boolean => {
      const block = budget > 0 ? waiting.shift() : undefined
      if (block === undefined) return false
      shards.take(block)
      budget -= 1
      return true
    }
    const asked = shards
      .ask(message, () => index % 4 === 0 && applyNext())
      .finally(() => {
        running = false
      })
    let arrived = false
    do {
      await turn()
      const wasRunning = running
      if (applyNext() && wasRunning) arrived = true
    } while (budget > 0 && waiting.length > 0)
    const parts = await asked
    const { rowsText } = finishRows(plan, message, newest, parts)
    const ours = parseRows(rowsText)
    const written = statementToSql(
      statement,
      definition,
      new Map(parts.flatMap(({ positions }) => positions)),
    )
    const theirs = (await duckdb.runAndReadAll(written.sql)).getRows()
    const difference = compareAnswers(ours, theirs, written)
    if (difference !== undefined) throw new Error(report(difference, statement, written.sql, ours, theirs))
    judged.queries += 1
    judged.rowsAnswered += ours.length
    if (arrived) judged.whileArriving += 1
    if (parts.some(({ rowsFromRollups }) => rowsFromRollups > 0)) judged.fromRollups += 1
    if (ours.length === 0) judged.answersEmpty += 1
  }
  return judged
}

/** Rows of an answer; whole numbers as bigint, whose digits JSON.parse alone would round. */
function parseRows(text: string): OurRow[] {
  const whole = (_key: string, value: unknown, context?: Readonly<{ source?: string }>) =>
    typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context?.source ?? '') : value
  return JSON.parse(text, whole) as OurRow[]
}

function report(
  difference: string,
  statement: QueryStatement,
  sql: string,
  ours: readonly OurRow[],
  theirs: readonly unknown[],
): string {
  const shown = (rows: readonly unknown[]) =>
    JSON.stringify(rows.slice(0, 20), (_key, value) => (typeof value === 'bigint' ? String(value) : value))
  return [
    difference,
    `statement: ${JSON.stringify(statement)}`,
    `sql: ${sql}`,
    `ours: ${shown(ours)}`,
    `DuckDB: ${shown(theirs)}`,
  ].join('\n')
}
