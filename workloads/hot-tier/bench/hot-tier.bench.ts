import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PartialQueryRequest } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BLOCK_ROWS, dealtBlocks, startBenchLogs } from './bench-logs.ts'
import { benchQuestions, type Question, statementOf } from './bench-questions.ts'
import { askShard } from './bench-shard.ts'
import { type BenchWorkers, startBenchWorkers } from './bench-workers.ts'
import { createClickhousePeers } from './clickhouse-peer.ts'
import { createDuckdbPeer } from './duckdb-peer.ts'
import { definition, eventBlock, type RowCodes } from './event-blocks.ts'
import type { Peer } from './peer.ts'

/*
 * The hot tier's own work beside ClickHouse and DuckDB, all in this process over the same rows: ours enter as blocks over
 * streams and are asked through the shard's router, decode, merge and final rows. Answers are compared before anything is measured; a
 * wrong one ends the run with exit code 1. Each is asked for WARM_UP_MS first: code that is asked all day is compiled, and the caches of
 * the peers are filled. Then medians of RUNS_MIN to RUNS_MAX rounds in turns, as many as fit RUNS_MS; `ratio` is the better peer's time
 * over ours, `first` our time when asked for the first time.
 * `threads` is what each was given: ours as so many workers, each with its share of the slots; peers as they split work themselves.
 */
const ROWS = Number(process.env.ROWS ?? 20_000_000)
/** Beginning of the names of the rows that are measured; empty: all. */
const ONLY = process.env.ONLY ?? ''
const WARM_UP_MS = 1_000
const RUNS_MIN = 5
const RUNS_MAX = 101
const RUNS_MS = 4_000
const PACKAGES = fileURLToPath(new URL('../../../.cache/bench-peers', import.meta.url))

type Rows = readonly (readonly unknown[])[]
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number
const milliseconds = (value: number): number => Number(value.toFixed(2))
const print = (line: object) => console.log(JSON.stringify({ bench: 'hot-tier', ...line }))

/** Numbers as numbers (a bucket's start too), everything else as text. */
const cellOf = (value: unknown): string | number =>
  typeof value === 'string' && !/^-?\d+(\.\d+)?$/.test(value) ? value : Number(value)
/** Keys come first: texts, and starts of buckets. */
const keyOf = (cells: readonly (string | number)[]): string =>
  cells.map((cell) => (typeof cell === 'string' || cell > 1e15 ? String(cell) : '')).join('\u0001')

const scratch = mkdtempSync(join(tmpdir(), 'truenow-bench-'))
const peers: Peer[] = []
const logs = await startBenchLogs(dealtBlocks(ROWS))
try {
  const csv = join(scratch, 'events.csv')
  writeCsv(csv)
  peers.push(await createDuckdbPeer(csv), ...createClickhousePeers(csv, PACKAGES))
  for (const threads of new Set([1, availableParallelism()])) {
    for (const peer of peers) await peer.useThreads(threads)
    await measureAll(threads)
  }
} finally {
  for (const peer of peers) peer.close()
  await logs.close()
  rmSync(scratch, { recursive: true, force: true })
}

async function measureAll(threads: number): Promise<void> {
  const workers = await startBenchWorkers(
    threads,
    definition,
    join(scratch, `shard-${threads}`),
    logs.address,
  )
  try {
    const { residentBytes, slots } = await workers.applied(ROWS)
    const applied = slots.reduce((sum, { appliedRows = 0n }) => sum + Number(appliedRows), 0)
    assert.equal(applied, ROWS, 'every row must be held, else the peers hold more')
    print({
      row: 'resident',
      rows: ROWS,
      threads,
      ours: milliseconds(residentBytes / ROWS),
      unit: 'B/row, texts, remembered ids and rollups included',
    })
    for (const question of benchQuestions(ONLY)) {
      if ('skipped' in question) print({ ...question, threads })
      else await measure(question, threads, workers)
    }
  } finally {
    await workers.close()
  }
}

/** The same rows as numbers, for the peers. */
function writeCsv(csv: string): void {
  const file = openSync(csv, 'w')
  for (let first = 0; first < ROWS; first += BLOCK_ROWS)
    writeSync(file, csvOf(eventBlock(first, Math.min(BLOCK_ROWS, ROWS - first), ROWS).codes))
  closeSync(file)
}

function csvOf({ rowCount, regions, products, users, cents, tenths, items, times }: RowCodes): string {
  let text = ''
  for (let row = 0; row < rowCount; row++)
    text += `${regions[row]},${products[row]},${users[row]},${cents[row]},${tenths[row]},${items[row]},${times[row]}\n`
  return text
}

async function millisecondsOf(ask: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await ask()
  return performance.now() - startedMs
}

async function measure(question: Question, threads: number, { router }: BenchWorkers): Promise<void> {
  const statement = statementOf(question)
  const { signal } = new AbortController()
  const execute = (request: PartialQueryRequest) => router.execute(request, signal)
  const askOurs = () => askShard(execute, definition, statement)
  const asks: ReadonlyArray<readonly [name: string, ask: () => Promise<Rows>]> = [
    ['ours', askOurs],
    ...peers.map((peer) => [peer.name, () => peer.ask(question)] as const),
  ]
  const answers = new Map<string, Rows>()
  const first = await millisecondsOf(async () => answers.set('ours', await askOurs()))
  for (const [name, ask] of asks.slice(1)) answers.set(name, await ask())
  await mustAgree(question, answers)
  for (const [, ask] of asks) {
    for (const untilMs = performance.now() + WARM_UP_MS; performance.now() < untilMs; ) await ask()
  }
  const times = new Map(asks.map(([name]) => [name, [] as number[]]))
  const untilMs = performance.now() + RUNS_MS
  for (let run = 0; run < RUNS_MIN || (run < RUNS_MAX && performance.now() < untilMs); run++) {
    for (const [name, ask] of asks) times.get(name)?.push(await millisecondsOf(ask))
  }
  const medians = new Map([...times].map(([name, list]) => [name, milliseconds(median(list))]))
  const ours = medians.get('ours') as number
  const ranked = peers
    .map(({ name }) => [name, medians.get(name) as number] as const)
    .toSorted((a, b) => a[1] - b[1])
  const [[peerName, peer]] = ranked as [readonly [string, number]]
  const clickhouse = Math.min(...ranked.filter(([name]) => name.startsWith('clickhouse')).map(([, ms]) => ms))
  const rest = { peer, peer_name: peerName, unit: 'ms', ratio: Number((peer / ours).toFixed(2)) }
  print({
    row: question.row,
    rows: ROWS,
    threads,
    ours,
    first: milliseconds(first),
    ...rest,
    clickhouse,
    duckdb: medians.get('duckdb'),
  })
}

/** Ours equals the truth, or each peer where there is none beside them; peers that answer about equal it within their own bound. */
async function mustAgree(question: Question, answers: ReadonlyMap<string, Rows>): Promise<void> {
  const { truth, bound } = question
  const ours = answers.get('ours') ?? []
  const exact = truth && (await peers.find(({ name }) => name === 'duckdb')?.ask({ ...question, ...truth }))
  if (truth !== undefined && exact !== undefined) {
    mustEqual(question, bound, { name: 'ours', rows: ours }, { name: 'the truth', rows: exact })
    for (const { name } of peers)
      mustEqual(
        question,
        truth.peerBound,
        { name, rows: answers.get(name) ?? [] },
        { name: 'the truth', rows: exact },
      )
    return
  }
  for (const { name } of peers)
    mustEqual(question, bound, { name: 'ours', rows: ours }, { name, rows: answers.get(name) ?? [] })
}

type Answer = Readonly<{ name: string; rows: Rows }>

/** Ends the benchmark where the two are more than `bound` apart, relatively. */
function mustEqual({ row }: Question, bound: number, one: Answer, two: Answer): void {
  const sorted = (rows: Rows) =>
    rows.map((each) => each.map(cellOf)).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const [mine, other] = [sorted(one.rows), sorted(two.rows)]
  const agree = (a: string | number, b: string | number | undefined) =>
    typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= bound * Math.abs(b) : a === b
  const wrong = mine.findIndex(
    (cells, at) => !cells.every((cell, column) => agree(cell, other[at]?.[column])),
  )
  if (mine.length === other.length && wrong < 0) return
  console.error(
    `${row}: ${one.name} and ${two.name} differ: ${mine.length} and ${other.length} rows; ${JSON.stringify(mine[wrong])} and ${JSON.stringify(other[wrong])}`,
  )
  process.exit(1)
}
