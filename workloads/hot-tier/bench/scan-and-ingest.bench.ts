import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PartialQueryRequest } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import { askShard } from './bench-shard.ts'
import { type BenchWorkers, startBenchWorkers } from './bench-workers.ts'
import { definition, SPAN_US, START_US } from './event-blocks.ts'
import { startLogThread } from './start-log-thread.ts'

/*
 * What scans cost ingest, and ingest scans, in one shard of one worker thread and of as many as there are cores: the same number of
 * rows goes in over streams while nobody asks, and while a scan of all rows (with a small answer: finishing it is the query role's work) runs in a loop and a narrow query is asked every
 * NARROW_MS. Blocks are encoded before their time is taken. The ingester is a thread of its own (log-thread.ts); with the asker it shares the cores that
 * the workers leave.
 */
const HELD = Number(process.env.ROWS ?? 10_000_000)
const PHASE_ROWS = Number(process.env.PHASE_ROWS ?? 10_000_000)
const BLOCK_ROWS = 5_000
const NARROW_MS = 10
const ALL_ROWS = HELD + 2 * PHASE_ROWS

/** Rows are read: by the table's rollup a full scan would be one of some thousand cells. */
const common = {
  namespace: definition.namespace,
  table: definition.name,
  aggregate: 'sum',
  metric: 'revenue',
  rollups: false,
}
const FULL = { ...common, start_time: START_US, end_time: START_US + 2 * SPAN_US, group_by: ['region'] } as QueryStatement // biome-ignore format: one line
const NARROW_FROM_US = START_US + SPAN_US / 4
const NARROW = { ...common, start_time: NARROW_FROM_US, end_time: NARROW_FROM_US + SPAN_US / 100, filters: { region: 'region-3' } } as QueryStatement // biome-ignore format: one line

const print = (line: object) => console.log(JSON.stringify({ bench: 'scan-and-ingest', ...line }))
const rounded = (value: number) => Number(value.toFixed(2))
const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

const scratch = mkdtempSync(join(tmpdir(), 'truenow-bench-'))
try {
  for (const threads of new Set([1, availableParallelism()])) await measure(threads)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

async function measure(threads: number): Promise<void> {
  const logs = await startLogThread({ held: HELD, phaseRows: PHASE_ROWS, blockRows: BLOCK_ROWS })
  const workers = await startBenchWorkers(
    threads,
    definition,
    join(scratch, `shard-${threads}`),
    logs.address,
  )
  try {
    await workers.applied(HELD)
    await logs.prepare()
    const aloneRowsASecond = await phase(workers, logs.open, HELD + PHASE_ROWS)
    const scans = scanLoop(workers)
    const besideRowsASecond = await phase(workers, logs.open, ALL_ROWS)
    const { fullMs, narrowMs } = await scans.stop()
    const rows = { rows: HELD, threads }
    print({ ...rows, row: 'ingest_alone', ours: Math.round(aloneRowsASecond), unit: 'rows/s' })
    print({
      ...rows,
      row: 'ingest_beside_scans',
      ours: Math.round(besideRowsASecond),
      unit: 'rows/s',
      share: rounded(besideRowsASecond / aloneRowsASecond),
    })
    print({
      ...rows,
      row: 'full_scan',
      ours: rounded(quantile(fullMs, 0.5)),
      unit: 'ms p50',
      scans: fullMs.length,
    })
    print({
      ...rows,
      row: 'narrow_query',
      ours: rounded(quantile(narrowMs, 0.99)),
      unit: 'ms p99',
      p50: rounded(quantile(narrowMs, 0.5)),
      queries: narrowMs.length,
    })
  } finally {
    await workers.close()
    await logs.close()
  }
}

/** Rows a second from the moment the gate opens until `rows` are applied. */
async function phase({ applied }: BenchWorkers, open: () => void, rows: number): Promise<number> {
  const startedMs = performance.now()
  open()
  await applied(rows)
  return PHASE_ROWS / ((performance.now() - startedMs) / 1_000)
}

/** Scans everything again and again, and asks the narrow query beside it, until it is stopped. */
function scanLoop({ router }: BenchWorkers) {
  let isOver = false
  const { signal } = new AbortController()
  const execute = (request: PartialQueryRequest) => router.execute(request, signal)
  const timed = async (statement: QueryStatement, into: number[]) => {
    const startedMs = performance.now()
    await askShard(execute, definition, statement)
    into.push(performance.now() - startedMs)
  }
  const [fullMs, narrowMs]: [number[], number[]] = [[], []]
  const full = async () => {
    while (!isOver) await timed(FULL, fullMs)
  }
  const narrow = async () => {
    while (!isOver) {
      await timed(NARROW, narrowMs)
      await new Promise((resolve) => setTimeout(resolve, NARROW_MS))
    }
  }
  const running = Promise.all([full(), narrow()])
  return {
    stop: async () => {
      isOver = true
      await running
      return { fullMs, narrowMs }
    },
  }
}
