import { parseArgs } from 'node:util'
import { eventually } from '../eventually.ts'
import { generateEvents, type LoadEvent } from '../load/generate-events.ts'
import { postEvents } from '../load/post-events.ts'
import { judgeAll, type LogRow, type Sample, sumLogs } from './judge.ts'
import { readLog } from './read-log.ts'

/*
 * The sampler: writes at least `--rate` events a second and asks at least 10 questions a second over all slots, until its
 * standard input ends; then reads the log and judges every answer at its own positions. Prints one JSON line. With
 * `--cache off` every answer is computed; with `--cache half` every second question may be answered from Redis, and the
 * writers fall silent for a moment now and then, because a kept answer is given only while nothing new was applied: a
 * kept result stands at positions like any other, so the judge need not know. It runs where Services and brokers are
 * reachable by name, that is inside the cluster's network.
 */
const { values: options } = parseArgs({
  options: {
    gateway: { type: 'string' },
    query: { type: 'string' },
    brokers: { type: 'string' },
    topic: { type: 'string' },
    namespace: { type: 'string' },
    table: { type: 'string' },
    scenario: { type: 'string' },
    rate: { type: 'string', default: '2500' },
    seed: { type: 'string', default: '1' },
    cache: { type: 'string', default: 'off' },
  },
})
const {
  gateway = '',
  query = '',
  brokers = '',
  topic = '',
  namespace = '',
  table = '',
  scenario = '',
} = options
if (options.cache !== 'off' && options.cache !== 'half')
  throw new Error(`--cache is off or half, not '${options.cache}'`)
const BATCH_EVENTS = 100
/** 12.5 a second: a quarter above what a judgement needs. */
const QUERY_PERIOD_MS = 80
/** With `--cache half` the writers are silent at the start of every period, and make up for it in the rest. */
const QUIET_PERIOD_MS = 2_500
const QUIET_MS = 1_000
const QUERIES_OPEN_MAX = 64
const READ_MS_MAX = 120_000
const PLACES = { id: 0, time: 1, region: 2, revenue: 6, items: 7 }
/** Answers are asked up to a little before now, so that a healthy table can be complete: lateness plus a second. */
const BEHIND_US = 12_000_000

const startedMs = performance.now()
const stopping = new AbortController()
process.stdin.on('end', () => stopping.abort()).resume()
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
const nowUs = () => Date.now() * 1_000
/** What is left of a silence, 0 outside. */
const quietLeftMs = () => Math.max(0, QUIET_MS - ((performance.now() - startedMs) % QUIET_PERIOD_MS))

let written = 0
let nextId = 0

/** One of the writers: a batch of new events at its turn, resent until acknowledged. */
async function write(writer: number, writers: number): Promise<void> {
  const periodMs = (BATCH_EVENTS * writers * 1_000) / Number(options.rate)
  for (let turn = 0; !stopping.signal.aborted; turn++) {
    if (options.cache === 'half') await sleep(quietLeftMs())
    const batch: LoadEvent[] = [
      ...generateEvents({
        seed: Number(options.seed) * 1_000_003 + nextId,
        run: `s${options.seed}-${writer}-${turn}`,
        events: BATCH_EVENTS,
        duplicateShare: 0.05,
        nowUs: nowUs(),
        spreadUs: 2_000_000,
      }),
    ]
    nextId += 1
    await postEvents(gateway, { namespace, table }, batch, 120_000)
    written += batch.length
    await sleep(startedMs + (turn + 1) * periodMs - performance.now())
  }
}

const samples: Sample[] = []
const lagsUs: number[] = []
const cache = { asked: 0, hits: 0 }

type Range = Readonly<{ startUs: number; endUs: number }>
const latestRange = (): Range => ({ startUs: nowUs() - 3_000_000_000, endUs: nowUs() - BEHIND_US })

async function ask(range: Range, cached: boolean): Promise<void> {
  const atMs = performance.now() - startedMs
  const statement = {
    start_time: range.startUs,
    end_time: range.endUs,
    namespace,
    table,
    group_by: ['region'],
    aggregates: [
      { aggregate: 'count' },
      { aggregate: 'sum', metric: 'items' },
      { aggregate: 'sum', metric: 'revenue' },
    ],
    ...(cached ? {} : { cache: false }),
  }
  try {
    const response = await fetch(`${query}/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(statement),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${response.status}: ${text.slice(0, 300)}`)
    const answer = JSON.parse(text)
    samples.push({ kind: 'answer', atMs, ...range, ...answer, watermarkUs: answer.watermark_us })
    if (answer.watermark_us !== null) lagsUs.push(nowUs() - answer.watermark_us)
    if (answer.stats.cache !== 'off') cache.asked += 1
    if (answer.stats.cache === 'hit') cache.hits += 1
  } catch (error) {
    const { cause, message } = error as Error
    samples.push({ kind: 'failed', atMs, ...range, reason: `${message} ${String(cause ?? '')}` })
  }
}

/** The same question again, as long as the writers are silent: the first of these that Redis can answer ends it. */
async function askRepeatedly(range: Range): Promise<void> {
  const hits = cache.hits
  do await ask(range, true)
  while (cache.hits === hits && quietLeftMs() > 0 && !stopping.signal.aborted)
}

async function askAll(): Promise<void> {
  const open = new Set<Promise<void>>()
  for (let turn = 1; !stopping.signal.aborted; turn++) {
    if (open.size < QUERIES_OPEN_MAX) {
      const cached = options.cache === 'half' && turn % 2 === 0
      const one = (cached ? askRepeatedly(latestRange()) : ask(latestRange(), false)).finally(() =>
        open.delete(one),
      )
      open.add(one)
    }
    // By the clock, not by the last turn: what a busy machine delays is made up for.
    await sleep(startedMs + turn * QUERY_PERIOD_MS - performance.now())
  }
  await Promise.all(open)
}

/** Each waits for its acknowledgement: as many as keep the rate while pods start on the same cores and one takes 0.3 s. */
const WRITERS = 8
let tookS = 0
stopping.signal.addEventListener('abort', () => {
  tookS = (performance.now() - startedMs) / 1_000 // What is still open then has until its own time-out.
})
await Promise.all([askAll(), ...Array.from({ length: WRITERS }, (_, writer) => write(writer, WRITERS))])
// What was disturbed may be the name service itself, and the truth is read when that is over.
let logs = new Map<number, LogRow[]>()
await eventually('the log is read', READ_MS_MAX, () =>
  readLog(brokers.split(','), topic, PLACES).then(
    (rows) => {
      logs = rows
      return undefined
    },
    (error) => String(error),
  ),
)
samples.sort((a, b) => a.atMs - b.atMs)
const { reasons, ...judgement } = judgeAll(sumLogs(logs), samples)
const result = {
  scenario,
  ...judgement,
  complete: samples.filter((sample) => sample.kind === 'answer' && sample.complete).length,
  cache_asked: cache.asked,
  cache_hits: cache.hits,
  lag_us: lagsUs.length === 0 ? null : Math.max(...lagsUs),
  took_s: Number(tookS.toFixed(1)),
  events_written: written,
  log_rows: [...logs.values()].reduce((sum, rows) => sum + rows.length, 0),
}
for (const reason of reasons) console.error(reason)
console.log(JSON.stringify(result))
