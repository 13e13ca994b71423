import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { PlanSchema, SlotStatus } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { planStatement } from '@truenow/kernels/query/plan-statement.ts'
import { encodeRows } from '@truenow/kernels/replica/testing/encode-rows.ts'
import { finishRows } from '@truenow/query/finish-rows.ts'
import fc from 'fast-check'
import { arbitraryCase } from './oracle/arbitrary-case.ts'
import { callsOf } from './oracle/calls-of.ts'
import { expandRecords, type OracleRecord } from './oracle/expand-records.ts'
import type { OracleCase } from './oracle/judge-case.ts'
import { type SqlStatement, statementToSql } from './oracle/statement-to-sql.ts'
import { startLogs, startWorkersInHand, type WorkersInHand } from './workers-in-hand.ts'

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = Number(process.env.RUNS ?? 8)
const STATEMENTS = 6
const directory = mkdtempSync(join(tmpdir(), 'truenow-workers-'))
let logs: Awaited<ReturnType<typeof startLogs>>
let one: WorkersInHand
let others: ReadonlyMap<string, WorkersInHand>
let tables = 0

before(async () => {
  logs = await startLogs()
  const start = (kind: 'local' | 'thread', count: number) =>
    startWorkersInHand(kind, count, join(directory, `${kind}-${count}`), logs.address)
  one = await start('local', 1)
  others = new Map([
    ['2 in this thread', await start('local', 2)],
    ['3 in this thread', await start('local', 3)],
    ['1 thread', await start('thread', 1)],
    ['2 threads', await start('thread', 2)],
    ['3 threads', await start('thread', 3)],
  ])
})
after(async () => {
  await Promise.all([one, ...others.values()].map((each) => each.close()))
  await logs.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Whole numbers as their digits, so that none is rounded. */
type Answer = Readonly<{ rows: readonly (readonly unknown[])[]; rowsMatched: bigint }>

/** A table whose log every shard follows to its end. */
async function assignEverywhere(
  { table }: OracleCase,
  records: readonly OracleRecord[],
): Promise<ReadonlyMap<number, number>> {
  const uid = `table-${tables++}`
  const blocks = records.map(({ rows, definition, ...record }) => ({ ...record, value: encodeRows(rows, definition) })) // biome-ignore format: one line
  logs.byTable.clear()
  logs.byTable.set(uid, blocks)
  await Promise.all([one, ...others.values()].map(({ assign }) => assign(table.versions, uid)))
  return new Map(records.map(({ slot, offset }) => [slot, offset]))
}

async function ask(
  workers: WorkersInHand,
  { statement, definition }: OracleCase['statements'][number],
  newest: TableDefinition,
  slots: readonly number[],
  ends: ReadonlyMap<number, number>,
): Promise<Answer> {
  const plan = planStatement(statement, definition)
  const message = create(PlanSchema, { ...plan.partial, atLeastWaitUs: 20_000_000n })
  const answer = await workers.ask(newest, message, slots, ends)
  const { slots: answers, batch, rowsScanned, rowsMatched, rowsFromRollups } = answer
  assert.deepEqual(
    answers.map(({ slot, status }) => [slot, status]),
    slots.map((slot) => [slot, SlotStatus.OK]),
    'every slot, in the order of the request',
  )
  const part = { slot: 0, batch, rowsScanned: Number(rowsScanned), rowsMatched: Number(rowsMatched), rowsFromRollups: Number(rowsFromRollups) } // biome-ignore format: one line
  const { rowsText } = finishRows(plan, message, newest, [part])
  const rows = (JSON.parse(rowsText, digits) as object[]).map((row) => Object.values(row) as unknown[])
  // The newest rows need not be looked for everywhere: how many match is told of aggregates only.
  return { rows, rowsMatched: callsOf(statement).length === 0 ? -1n : rowsMatched }
}
const digits = (_key: string, value: unknown, context?: Readonly<{ source?: string }>) =>
  typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '') ? (context?.source ?? '') : value

/** Whether its rows and cells do not depend on how its slots are grouped, but for the last bit of sums. */
function hasOneAnswer({ outputs, ordered }: Omit<SqlStatement, 'sql' | 'order'>, limit?: number): boolean {
  const sums = ['sum', 'avg']
  return (
    (ordered || limit === undefined) &&
    outputs.every(({ isExact, call }) => isExact || sums.includes(call?.aggregate ?? ''))
  )
}

/** Σ|x| of any float column is at most this. */
function magnitudeOf(records: readonly OracleRecord[]): number {
  const cells = records.flatMap(({ rows }) => rows.flatMap(({ values }) => values))
  return cells.reduce<number>((sum, cell) => sum + (typeof cell === 'number' ? Math.abs(cell) : 0), 0)
}

function mustAgree(
  mine: Answer,
  other: Answer,
  exact: readonly boolean[],
  isOrdered: boolean,
  magnitude: number,
): void {
  assert.equal(other.rowsMatched, mine.rowsMatched)
  assert.equal(other.rows.length, mine.rows.length)
  const keyOf = (row: readonly unknown[]) => JSON.stringify(row.filter((_, at) => exact[at]))
  const sorted = ({ rows }: Answer) =>
    isOrdered ? rows : rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const theirs = sorted(other)
  for (const [index, row] of sorted(mine).entries()) {
    assert.equal(keyOf(theirs[index] ?? []), keyOf(row))
    for (const [at, cell] of row.entries()) {
      if (exact[at]) continue
      const [a, b] = [cell, theirs[index]?.[at]].map((value) => (value === null ? null : Number(value)))
      // Where great terms cancel, it depends on their order whether a sum overflows on the way.
      if (a === null || b === null || a === undefined || b === undefined) continue
      const lastBit = 2 ** -51 * Math.max(Math.abs(a), Math.abs(b)) + 2 ** -85 * magnitude
      assert.ok(Math.abs(a - b) <= lastBit, `${a} and ${b}`)
    }
  }
}

test(`workers: any slots over 1, 2 and 3 workers, in threads or not, answer what one thread answers (SEED=${SEED})`, async () => {
  let [asked, split] = [0, 0]
  const property = fc.asyncProperty(
    // Larger tables have statements that are refused for their sketches, which is the oracle's business.
    arbitraryCase.filter(({ table }) => table.copies < 10),
    fc.infiniteStream(fc.nat(1 << 20)),
    async (given, draws) => {
      const newest = given.table.versions.at(-1) as TableDefinition
      const records = expandRecords(given.table)
      const ends = await assignEverywhere(given, records)
      const magnitude = magnitudeOf(records)
      const statements = given.statements
        .map((each) => ({ ...each, ...statementToSql(each.statement, each.definition, new Map()) }))
        .filter(({ statement, ...written }) => hasOneAnswer(written, statement.limit))
      for (const { outputs, ordered, ...each } of statements.slice(0, STATEMENTS)) {
        const slots = someSlots(newest.slots, draws.next().value)
        const exact = outputs.map((output) => output.isExact)
        const mine = await ask(one, each, newest, slots, ends)
        for (const [name, workers] of others) {
          try {
            mustAgree(mine, await ask(workers, each, newest, slots, ends), exact, ordered, magnitude)
          } catch (cause) {
            throw new Error(`${name}, slots ${slots}: ${JSON.stringify(each.statement)}`, { cause })
          }
          asked += 1
        }
        if (slots.length > 1) split += 1
      }
    },
  )
  await fc.assert(property, { seed: SEED, numRuns: RUNS })
  assert.ok(asked > RUNS * 2 * others.size && split > RUNS)
  assert.deepEqual(
    [...others.values()].flatMap(({ died }) => died),
    [],
  )
})

/** At least one of `count` slots, in some order. */
function someSlots(count: number, draw: number): number[] {
  const all = Array.from({ length: count }, (_, slot) => slot)
  const some = all.filter((slot) => (draw >>> slot) & 1)
  const chosen = some.length === 0 ? all : some
  const turn = (draw >>> 10) % chosen.length
  return [...chosen.slice(turn), ...chosen.slice(0, turn)]
}
