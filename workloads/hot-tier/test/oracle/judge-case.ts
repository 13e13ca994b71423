import { setImmediate as turn } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import type { DuckDBConnection } from '@duckdb/node-api'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { planStatement } from '@truenow/kernels/query/plan-statement.ts'
import { encodeRows } from '@truenow/kernels/replica/testing/encode-rows.ts'
import { finishRows } from '@truenow/query/finish-rows.ts'
import type { OracleTable } from './arbitrary-table.ts'
import { callsOf } from './calls-of.ts'
import { compareAnswers, type OurRow } from './compare-answers.ts'
import { expandRecords } from './expand-records.ts'
import { foldPlainly, type HeldRow } from './fold-plainly.ts'
import { loadRows } from './load-rows.ts'
import { type LogBlock, ShardsInHand } from './shards-in-hand.ts'
import { statementToSql } from './statement-to-sql.ts'
import type { Tally } from './tally.ts'

export type OracleCase = Readonly<{
  table: OracleTable
  /** Each with the table version that it is planned for. */
  statements: ReadonlyArray<Readonly<{ statement: QueryStatement; definition: TableDefinition }>>
  /** Share of the log that is applied before the first statement; the rest comes while they run. */
  share: number
}>
type Answer = Readonly<{ rows: readonly OurRow[]; positions: ReadonlyMap<number, number> }>

/** With fewer rows no statement can reach QUERY_SKETCH_BYTES_MAX: four digests take 66 KiB a group. */
const ROWS_OF_REFUSED_MIN = 700

/**
 * Asks our shards and DuckDB every statement of one case and holds the answers against each other, each at the offsets that
 * our answer says it has seen. Errors: the statement, its SQL and both answers when they differ.
 */
export async function judgeCase(
  { table, statements, share }: OracleCase,
  duckdb: DuckDBConnection,
  tally: Tally,
): Promise<void> {
  const newest = table.versions.at(-1)!
  const records = expandRecords(table)
  const folded = [...Map.groupBy(records, ({ slot }) => slot).values()].map(foldPlainly)
  const held = folded.flatMap(({ rows }) => rows)
  await loadRows(duckdb, newest, held)
  tally.tables += 1
  tally.rowsHeld += held.length
  if (folded.some(({ atHorizon }) => atHorizon > 0))
    tally.meet('a table with a bucket that ends at the horizon')
  meetWideCodes(table, held, tally)
  const times = new Set(held.map(({ row }) => row.timeUs))
  const shards = new ShardsInHand(table.versions, table.shards)
  const waiting = records.map(
    ({ rows, definition, ...record }): LogBlock => ({ ...record, value: encodeRows(rows, definition) }),
  )
  for (const block of waiting.splice(0, Math.floor(waiting.length * share))) shards.take(block)
  for (const [index, { statement, definition }] of statements.entries()) {
    // As many blocks as the statements that are left leave for this one: before the cuts of some, in pauses of the others.
    const budget = Math.ceil(waiting.length / (statements.length - index))
    const blocks = waiting.splice(0, budget)
    const answer = await ask(shards, { statement, definition, newest }, blocks, index % 8 === 0, tally)
    if (answer !== undefined) await judge(answer, statement, definition, duckdb, tally)
    else if (held.length >= ROWS_OF_REFUSED_MIN) tally.meet('refused by QUERY_SKETCH_BYTES_MAX')
    else throw new Error(`refused over ${held.length} rows: ${JSON.stringify(statement)}`)
    tally.queries += 1
    if (statement.filters !== undefined) tally.filtered += 1
    const calls = callsOf(statement)
    if (calls.length === 0) tally.ask('rows')
    for (const name of new Set(calls.map(({ aggregate }) => aggregate))) tally.ask(name)
    if (times.has(statement.start_time) || times.has(statement.end_time))
      tally.meet('a range that begins or ends at the time of a row')
  }
}

/** Our answer, while `blocks` arrive. Undefined: it has more sketches than one query may have. */
async function ask(
  shards: ShardsInHand,
  {
    statement,
    definition,
    newest,
  }: Readonly<{ statement: QueryStatement; definition: TableDefinition; newest: TableDefinition }>,
  blocks: LogBlock[],
  early: boolean,
  tally: Tally,
): Promise<Answer | undefined> {
  const plan = planStatement(statement, definition)
  const message = create(PlanSchema, plan.partial)
  let running = true
  const applyNext = (): boolean => {
    const block = blocks.shift()
    if (block !== undefined) shards.take(block)
    return block !== undefined
  }
  // A failure is kept until the blocks are applied, when somebody waits for it.
  const asked = shards
    .ask(message, () => early && applyNext())
    .then(
      (parts) => parts,
      (error: Error) => error,
    )
    .finally(() => {
      running = false
    })
  let arrived = false
  do {
    await turn()
    const wasRunning = running
    if (applyNext() && wasRunning) arrived = true
  } while (blocks.length > 0)
  if (arrived) tally.whileArriving += 1
  try {
    const parts = await asked
    if (parts instanceof Error) throw parts
    if (parts.some(({ rowsFromRollups }) => rowsFromRollups > 0)) tally.fromRollups += 1
    const { rowsText } = finishRows(plan, message, newest, parts)
    return { rows: parseRows(rowsText), positions: new Map(parts.flatMap(({ positions }) => positions)) }
  } catch (error) {
    if (error instanceof TrueNowError && error.details?.limit === 'QUERY_SKETCH_BYTES_MAX') return undefined
    throw new Error(`${error}\nstatement: ${JSON.stringify(statement)}`, { cause: error })
  }
}

async function judge(
  { rows, positions }: Answer,
  statement: QueryStatement,
  definition: TableDefinition,
  duckdb: DuckDBConnection,
  tally: Tally,
): Promise<void> {
  const written = statementToSql(statement, definition, positions)
  const theirs = await rowsOf(duckdb, written.sql)
  const difference = compareAnswers(rows, theirs, written, tally.meet)
  if (difference !== undefined) throw new Error(report(difference, statement, written.sql, rows, theirs))
  tally.rowsAnswered += rows.length
  if (rows.length === 0) tally.answersEmpty += 1
}

async function rowsOf(duckdb: DuckDBConnection, sql: string): Promise<readonly (readonly unknown[])[]> {
  try {
    return (await duckdb.runAndReadAll(sql)).getRows()
  } catch (error) {
    throw new Error(`${error}\nsql: ${sql}`, { cause: error })
  }
}

/** Counts tables whose column of texts needs wide codes: in one shard, which codes them alike for all its slots. */
function meetWideCodes({ versions, shards }: OracleTable, held: readonly HeldRow[], tally: Tally): void {
  const { columns } = versions.at(-1)!
  const texts = columns.flatMap(({ type }, at) => {
    if (type !== 'string') return []
    const own = held.filter(({ slot }) => slot % shards === 0)
    return [new Set(own.map(({ row }) => row.values[at])).size]
  })
  if (texts.some((size) => size > 256)) tally.meet('a table with text codes of two bytes')
  if (texts.some((size) => size > 65_536)) tally.meet('a table with text codes of four bytes')
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
    JSON.stringify(rows.slice(0, 20), (_key, value) =>
      typeof value === 'bigint' ? String(value) : value,
    ).slice(0, 4_000)
  return [
    difference,
    `statement: ${JSON.stringify(statement)}`,
    `sql: ${sql}`,
    `ours: ${shown(ours)}`,
    `DuckDB: ${shown(theirs)}`,
  ].join('\n')
}
