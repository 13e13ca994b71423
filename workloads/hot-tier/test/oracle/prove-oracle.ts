import { writeFileSync } from 'node:fs'
import { MUTATIONS } from './mutations.ts'
import { survive } from './survive.ts'

/*
 * `make prove-oracle`: how many random statements it takes to find each mistake of mutations.ts, as docs/results/oracle.md.
 * Ctrl-C ends it after the mistake at hand, with those that were made by then.
 */
const SEED = Number(process.env.SEED ?? 20_261_126)
const QUERIES = Number(process.env.QUERIES ?? 10_000)
const ONLY = process.env.ONLY ?? ''
const TARGET = new URL('../../../../docs/results/oracle.md', import.meta.url)

let isEnough = false
process.once('SIGINT', () => {
  isEnough = true
})
const rows: string[] = []
const missed: string[] = []
for (const mutation of MUTATIONS.filter(({ name }) => name.includes(ONLY))) {
  if (isEnough) break
  const { caught, queries, why } = await survive(mutation, SEED, QUERIES)
  console.log(`${caught ? 'found' : 'MISSED'} after ${queries}: ${mutation.name}${caught ? ` (${why})` : ''}`)
  const file = mutation.file.replace('workloads/kernels/src/', '')
  rows.push(
    `| ${mutation.name.replaceAll('|', '\\|')} | \`${file}\` | ${caught ? queries.toLocaleString('en-US') : 'missed'} |`,
  )
  if (!caught) missed.push(mutation.name)
}
const lines = [
  '# What the oracle would find',
  '',
  `Each row is one mistake in one line of the kernels, made in memory only, and how many random statements of \`make prove-answers\` were answered right before the first wrong one: counted by whole tables of`,
  `50 statements, fewer where a table is large: 0 is the first. ${rows.length - missed.length} of ${rows.length} are found within ${QUERIES.toLocaleString('en-US')}; all ${MUTATIONS.length} are in \`workloads/hot-tier/test/oracle/mutations.ts\`.`,
  '',
  '| mistake | in kernels/src | found after |',
  '|---|---|---|',
  ...rows,
  '',
  `Command: \`make prove-oracle SEED=${SEED} QUERIES=${QUERIES}\`, ${new Date().toISOString().slice(0, 10)}.`,
  '',
]
if (ONLY === '') writeFileSync(TARGET, lines.join('\n'))
if (missed.length > 0) throw new Error(`not found within ${QUERIES}: ${missed.join('; ')}`)
console.log(`${rows.length} mistakes, all found within ${QUERIES} statements`)
