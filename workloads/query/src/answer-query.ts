import { create } from '@bufbuild/protobuf'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  AggregateFunction,
  type Plan,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryAnswer, QueryStatement } from '@truenow/contracts/query-statement.ts'
import { judgeCompleteness } from '@truenow/kernels/query/judge-completeness.ts'
import { planStatement, type QueryPlan } from '@truenow/kernels/query/plan-statement.ts'
import { statementError } from '@truenow/kernels/query/statement-error.ts'
import type { Admission } from './admission.ts'
import type { Gathering } from './ask-slots.ts'
import { type AnswerHead, encodeAnswer } from './encode-answer.ts'
import { findTable } from './find-table.ts'
import { finishRows } from './finish-rows.ts'
import { parseStatement } from './parse-statement.ts'
import type { ReadSlots } from './read-slots.ts'
import type { CachedResult, ResultCache, ResultIdentity } from './result-cache.ts'

export type AnswerParts = Readonly<{
  catalog: CatalogClient
  clock: Clock
  admission: Admission
  readSlots: ReadSlots
  /** Undefined: no cache. */
  cache: ResultCache | undefined
  timeoutMs: number
}>
/** The answer as JSON text, and what metrics want to know of it. */
export type Answered = Readonly<{ text: string; head: AnswerHead }>
/** Answers one statement. */
export type Ask = (body: unknown, signal: AbortSignal) => Promise<Answered>
type Asked = Readonly<{
  statement: QueryStatement
  table: TableView
  catalogId: string
  plan: QueryPlan
  message: Plan
  atLeast: ReadonlyMap<number, number>
  startedMs: number
  deadlineMs: number
}>
type Result = Readonly<{ gathering: Gathering; cached: CachedResult; cache: QueryAnswer['stats']['cache'] }>

/** Times below this are 1973 in µs: they were meant as milliseconds. */
const LOOKS_LIKE_MS_BELOW_US = 100_000_000_000_000

/**
 * One statement, from whatever the client sent to the answer with its truth: parse, plan, ask, merge, order, judge.
 * Errors: TN_QUERY_INVALID, TN_COLUMN_UNKNOWN, TN_QUERY_LIMIT, TN_TABLE_UNKNOWN for the client's part; TN_OVERLOADED,
 * TN_CATALOG_UNAVAILABLE, TN_QUERY_TIMEOUT (waiting, or the client left), TN_QUERY_INCOMPLETE (it asked to be told so).
 */
export async function answerQuery(body: unknown, parts: AnswerParts, signal: AbortSignal): Promise<Answered> {
  const startedMs = parts.clock.monotonicMs()
  const asked = understand(body, parts, startedMs)
  const timeoutMs = Math.ceil(asked.deadlineMs - startedMs)
  const patience = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    return await parts.admission.run(() => execute(asked, parts, signal), patience)
  } catch (error) {
    if (error instanceof TrueNowError || !patience.aborted) throw error
    const why = signal.aborted
      ? 'The client went away.'
      : `The statement waited ${timeoutMs} ms for its turn.`
    throw new TrueNowError('TN_QUERY_TIMEOUT', `${why} Try again, or give a greater timeout_ms.`, {
      cause: error,
    })
  }
}

function understand(body: unknown, { catalog, timeoutMs }: AnswerParts, startedMs: number): Asked {
  const statement = parseStatement(body)
  const view = catalog.current()
  if (view === undefined) {
    throw new TrueNowError(
      'TN_CATALOG_UNAVAILABLE',
      'No catalog has come from the control plane yet; ask again.',
    )
  }
  const table = findTable(view, statement.namespace, statement.table)
  const plan = planStatement(statement, table.definition)
  const atLeast = new Map(Object.entries(statement.at_least ?? {}).map(([slot, at]) => [Number(slot), at]))
  for (const slot of atLeast.keys()) {
    const last = table.definition.slots - 1
    if (slot > last) throw statementError(`at_least.${slot}`, `the table has the slots 0 to ${last}.`)
  }
  return {
    statement,
    table,
    catalogId: view.catalogId,
    plan,
    message: create(PlanSchema, plan.partial),
    atLeast,
    startedMs,
    deadlineMs: startedMs + (statement.timeout_ms ?? timeoutMs),
  }
}

async function execute(asked: Asked, parts: AnswerParts, signal: AbortSignal): Promise<Answered> {
  const { statement, table, plan, startedMs } = asked
  const { gathering, cached, cache } = await lookUpOrAsk(asked, parts, signal)
  const range = { startUs: statement.start_time, endUs: statement.end_time }
  const { cuts, missing } = gathering
  const judged = judgeCompleteness(range, cuts, missing.length, table.definition, parts.clock.nowUs())
  if (statement.require_complete === true && !judged.complete) {
    throw new TrueNowError('TN_QUERY_INCOMPLETE', `Not complete: ${judged.reasons.join('; ')}.`, {
      details: {
        missing_slots: missing,
        watermark_us: judged.watermarkUs,
        retained_from_us: judged.retainedFromUs,
      },
    })
  }
  const warnings = [...cached.warnings]
  if (statement.end_time < LOOKS_LIKE_MS_BELOW_US) {
    warnings.push('end_time is in the year 1973 or before; it looks like milliseconds: send microseconds')
  }
  const head: AnswerHead = {
    columns: plan.outputs,
    positions: Object.fromEntries(
      cuts.map(({ slot, incarnation, offset }) => [slot, { incarnation, offset }]),
    ),
    watermark_us: judged.watermarkUs,
    complete: judged.complete,
    partial: missing.length > 0,
    missing_slots: missing,
    retained_from_us: judged.retainedFromUs,
    approximate: plan.approximate,
    regressed: gathering.regressed,
    warnings,
    stats: {
      rows_scanned: cached.rowsScanned,
      rows_matched: cached.rowsMatched,
      rows_from_rollups: cached.rowsFromRollups,
      shards_asked: gathering.shardsAsked.size,
      cache,
      took_us: Math.round((parts.clock.monotonicMs() - startedMs) * 1_000),
    },
  }
  return { head, text: encodeAnswer(head, cached.rowsText) }
}

/**
 * With a cache: first the current cuts, by a plan that reads no row under the same rules as the statement's own; a kept
 * result of exactly these cuts is the answer. Everything else, and every partial or regressed view, is asked for.
 */
async function lookUpOrAsk(asked: Asked, parts: AnswerParts, signal: AbortSignal): Promise<Result> {
  const { statement, table, atLeast, deadlineMs } = asked
  const cache = statement.cache === false ? undefined : parts.cache
  if (cache !== undefined) {
    const gathering = await parts.readSlots(table, probeOf(asked.message), atLeast, deadlineMs, signal)
    const kept = isWhole(gathering) ? await cache.get(identityOf(asked, gathering)) : undefined
    if (kept !== undefined) return { gathering, cached: { ...kept, rowsScanned: 0 }, cache: 'hit' }
  }
  const gathering = await parts.readSlots(table, asked.message, atLeast, deadlineMs, signal)
  const cached = finishRows(asked.plan, asked.message, table.definition, gathering.parts)
  if (cache !== undefined && isWhole(gathering)) cache.set(identityOf(asked, gathering), cached)
  return { gathering, cached, cache: cache === undefined ? 'off' : 'miss' }
}

const isWhole = ({ missing, regressed }: Gathering): boolean => missing.length === 0 && !regressed

function identityOf(
  { catalogId, table, statement, plan, message }: Asked,
  { cuts }: Gathering,
): ResultIdentity {
  return {
    catalogId,
    tableUid: table.uid,
    namespace: statement.namespace,
    table: statement.table,
    plan,
    message,
    cuts,
  }
}

/** Counts the rows of an empty range: the cuts come, and nothing is scanned. */
function probeOf({ tableVersion, startUs }: Plan): Plan {
  const value = { keys: [], aggregates: [{ function: AggregateFunction.COUNT, column: '' }], groupsMax: 1 }
  return create(PlanSchema, { tableVersion, startUs, endUs: startUs, shape: { case: 'aggregate', value } })
}
