import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { version } from '@duckdb/node-api'
import { judgeMany } from './judge-many.ts'

/*
 * `make prove-answers`: the long form of answers.test.ts, and what it found as docs/results/answers.md. Ctrl-C ends it after the
 * batch at hand, with the figures of what was asked by then.
 */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_000)
const QUERIES = Number(process.env.QUERIES ?? 100_000)
const TARGET = new URL('../../../../docs/results/answers.md', import.meta.url)
const TOLD_EVERY = 2_000

console.log(`seed ${SEED}, ${QUERIES} queries`)
const startedMs = performance.now()
const before = process.cpuUsage()
let told = 0
let isEnough = false
process.once('SIGINT', () => {
  isEnough = true
})
const total = await judgeMany(SEED, QUERIES, {
  shrinks: false,
  isEnough: () => isEnough,
  onTable: ({ queries, tables }) => {
    if (queries - told < TOLD_EVERY) return
    told = queries
    console.log(`${queries} queries over ${tables} tables, ${secondsSince(startedMs)} s`)
  },
})
const cpu = process.cpuUsage(before)
const cpuSeconds = Math.round((cpu.user + cpu.system) / 1e6)
const [core] = cpus()
const count = (number: number) => number.toLocaleString('en-US')
const rows = (entries: Iterable<readonly [string, number]>) =>
  Array.from(entries, ([name, number]) => `| ${name} | ${count(number)} |`)
const lines = [
  '# Answers against DuckDB',
  '',
  `Random statements over random tables and logs, asked through the shard's own entries (blocks in, \`executePartial\`, merge, final rows) and of DuckDB ${version()} over`,
  'the same rows; each answer is judged at its own positions. What is drawn, how the statement becomes SQL, and how each aggregate is judged:',
  '`workloads/hot-tier/test/oracle/`. What it would find, and how fast: `make prove-oracle`.',
  '',
  '| what | figure |',
  '|---|---|',
  ...rows([
    ['statements asked', total.queries],
    ['asked while blocks arrived, after the cut and before the answer', total.whileArriving],
    ['with filters', total.filtered],
    ['answered from rollups, in part or whole', total.fromRollups],
    ['wrong answers', 0],
    ['tables, each with its own columns, versions, slots, shards and log', total.tables],
    ['rows that the logs let in', total.rowsHeld],
    ['rows answered', total.rowsAnswered],
    ['answers without a row', total.answersEmpty],
  ]),
  `| time | ${count(secondsSince(startedMs))} s, ${count(cpuSeconds)} s of them on a core |`,
  '',
  `Command: \`make prove-answers SEED=${SEED} QUERIES=${total.queries}\`. Machine: ${cpus().length} cores (${core?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.`,
  '',
  '| statements that ask for | |',
  '|---|---|',
  ...rows(total.asked),
  '',
  '| what is rare (values of answers; statements; tables) | met |',
  '|---|---|',
  ...rows(total.edges),
  '',
  '**Equal means.** Counts, integers, extremes, `first`, `last`, texts, times and the order of rows: exactly. Integer means: to the last bit but one. Float sums and means: within 1e-9, or',
  '2 units in the last place of Σ|x| where terms cancel; one that overflows on the way may be null. Variances: within 1e-9, or within n × 2^-52 × root mean square × standard deviation, twice,',
  "as either side may be off by half; DuckDB's are Welford's too. `approx_count_distinct`: exactly up to 32 values, up to 3,072 within the collisions to be expected of 25 bits, beyond within 6 × 0.81 %.",
  'Quantiles: up to 159 values as `quantile_cont`, beyond within 2π√(q(1−q))/500 of the values in rank, and one place. `top_k`: up to 1,024 values exactly, beyond never under, over by no more',
  'than `error_max`, and no value missing that has more than 0.17 % of the rows.',
  '',
]
mkdirSync(new URL('.', TARGET), { recursive: true })
writeFileSync(TARGET, lines.join('\n'))
console.log(`${total.queries} queries, 0 wrong: docs/results/answers.md`)

function secondsSince(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 1_000)
}
