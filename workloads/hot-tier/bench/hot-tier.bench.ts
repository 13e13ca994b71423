import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { benchQuestions, type Question, statementOf } from './bench-questions.ts'
import { askShard, createBenchShard } from './bench-shard.ts'
import { createClickhousePeers } from './clickhouse-peer.ts'
import { createDuckdbPeer } from './duckdb-peer.ts'
import { definition, eventBlock, type RowCodes } from './event-blocks.ts'
import type { Peer } from './peer.ts'

/*
 * The hot tier's own work beside ClickHouse and DuckDB, all in this process over the same rows: ours enter as blocks and are
 * asked through executePartial, decode, merge and final rows. Answers are compared before anything is measured; a wrong one ends the
 * run with exit code 1. Medians of RUNS runs after a warm-up, in turns; `ratio` is the better peer's time over ours.
 * A shard has one thread today, so ours is one thread in both passes; `threads` says what the peers were given.
 */
const ROWS = Number(process.env.ROWS ?? 20_000_000)
/** Beginning of the names of the rows that are measured; empty: all. */
const ONLY = process.env.ONLY ?? ''
const RUNS = 5
const BLOCK_ROWS = 5_000
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

const slots = createBenchShard(definition)
const scratch = mkdtempSync(join(tmpdir(), 'truenow-bench-'))
const peers: Peer[] = []
try {
  const csv = join(scratch, 'events.csv')
  load(csv)
  let bytes = slots[0]?.replica.texts.residentBytes ?? 0
  for (const { replica } of slots) bytes += replica.residentBytes
  print({
    row: 'resident',
    rows: ROWS,
    ours: milliseconds(bytes / ROWS),
    unit: 'B/row, texts, remembered ids and rollups included',
  })
  peers.push(await createDuckdbPeer(csv), ...createClickhousePeers(csv, PACKAGES))
  for (const threads of new Set([1, availableParallelism()])) {
    for (const peer of peers) await peer.useThreads(threads)
    for (const question of benchQuestions()) {
      if (!question.row.startsWith(ONLY)) continue
      if ('skipped' in question) print({ ...question, threads })
      else await measure(question, threads)
    }
  }
} finally {
  for (const peer of peers) peer.close()
  rmSync(scratch, { recursive: true, force: true })
}

/** Blocks into the shard, dealt out to its slots in turn; the same rows as numbers into a file for the peers. */
function load(csv: string): void {
  const file = openSync(csv, 'w')
  for (let first = 0, number = 0; first < ROWS; first += BLOCK_ROWS, number++) {
    const { block, codes, appendTimeUs } = eventBlock(first, Math.min(BLOCK_ROWS, ROWS - first), ROWS)
    const { replica } = slots[number % definition.slots] as (typeof slots)[0]
    replica.apply(block, definition, { offset: replica.cursor.offset + 1, checksum: number }, appendTimeUs)
    writeSync(file, csvOf(codes))
  }
  closeSync(file)
  const applied = slots.reduce((sum, { replica }) => sum + replica.counters.applied, 0)
  assert.equal(applied, ROWS, 'every row must be held, else the peers hold more')
}

function csvOf({ rowCount, regions, products, users, cents, tenths, items, times }: RowCodes): string {
  let text = ''
  for (let row = 0; row < rowCount; row++)
    text += `${regions[row]},${products[row]},${users[row]},${cents[row]},${tenths[row]},${items[row]},${times[row]}\n`
  return text
}

async function measure(question: Question, threads: number): Promise<void> {
  const statement = statementOf(question)
  const asks: ReadonlyArray<readonly [name: string, ask: () => Promise<Rows>]> = [
    ['ours', () => askShard(slots, definition, statement)],
    ...peers.map((peer) => [peer.name, () => peer.ask(question)] as const),
  ]
  const answers = new Map<string, Rows>()
  for (const [name, ask] of asks) answers.set(name, await ask()) // The warm-up.
  for (const { name } of peers) mustAgree(question, answers.get('ours') ?? [], name, answers.get(name) ?? [])
  const times = new Map(asks.map(([name]) => [name, [] as number[]]))
  for (let run = 0; run < RUNS; run++) {
    for (const [name, ask] of asks) {
      const startedMs = performance.now()
      await ask()
      times.get(name)?.push(performance.now() - startedMs)
    }
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
    ours_threads: 1,
    ours,
    ...rest,
    clickhouse,
    duckdb: medians.get('duckdb'),
  })
}

function mustAgree({ row, bound }: Question, ours: Rows, name: string, theirs: Rows): void {
  const sorted = (rows: Rows) =>
    rows.map((each) => each.map(cellOf)).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const [mine, other] = [sorted(ours), sorted(theirs)]
  const agree = (a: string | number, b: string | number | undefined) =>
    typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= bound * Math.abs(b) : a === b
  const wrong = mine.findIndex(
    (cells, at) => !cells.every((cell, column) => agree(cell, other[at]?.[column])),
  )
  if (mine.length === other.length && wrong < 0) return
  console.error(
    `${row}: ours and ${name} differ: ${mine.length} and ${other.length} rows; ${JSON.stringify(mine[wrong])} and ${JSON.stringify(other[wrong])}`,
  )
  process.exit(1)
}
