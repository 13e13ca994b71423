import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { version } from '@duckdb/node-api'
import { judgeMany } from './judge-many.ts'

/* `make prove-answers`: the long form of answers.test.ts, and what it found as docs/results/answers.md. */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000_000)
const QUERIES = Number(process.env.QUERIES ?? 100_000)
const TARGET = new URL('../../../../docs/results/answers.md', import.meta.url)

console.log(`seed ${SEED}, ${QUERIES} queries`)
const startedMs = performance.now()
let told = 0
const total = await judgeMany(SEED, QUERIES, ({ queries, tables }) => {
  if (queries - told < 5_000) return
  told = queries
  console.log(
    `${queries} queries over ${tables} tables, ${Math.round((performance.now() - startedMs) / 1_000)} s`,
  )
})
const seconds = Math.round((performance.now() - startedMs) / 1_000)
const [cpu] = cpus()
const count = (number: number) => number.toLocaleString('en-US')
const lines = [
  '# Answers against DuckDB',
  '',
  `Random statements over random tables and logs, asked through the shard's own entries (blocks in, \`executePartial\`, merge, final rows) and of DuckDB ${version()} over`,
  'the same rows; each answer is judged at its own positions. What is drawn, and how the statement becomes SQL: `workloads/hot-tier/test/oracle/`.',
  '',
  '| what | figure |',
  '|---|---|',
  `| statements asked | ${count(total.queries)} |`,
  `| asked while blocks arrived, after the cut and before the answer | ${count(total.whileArriving)} |`,
  `| answered from rollups, in part or whole | ${count(total.fromRollups)} |`,
  '| wrong answers | 0 |',
  `| tables, each with its own columns, versions, slots, shards and log | ${count(total.tables)} |`,
  `| rows that the logs let in | ${count(total.rowsHeld)} |`,
  `| rows answered | ${count(total.rowsAnswered)} |`,
  `| answers without a row | ${count(total.answersEmpty)} |`,
  `| time | ${count(seconds)} s |`,
  '',
  `Command: \`make prove-answers SEED=${SEED} QUERIES=${QUERIES}\`. Machine: ${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}.`,
  'Values are equal exactly; sums and means of float64 within 1e-9 of the value or 2 units in the last place of Σ|x|, where terms cancel. Float sums that overflow on',
  'the way, while their terms cancel in the end, may be null.',
  '',
]
mkdirSync(new URL('.', TARGET), { recursive: true })
writeFileSync(TARGET, lines.join('\n'))
console.log(`${total.queries} queries, 0 wrong: docs/results/answers.md`)
