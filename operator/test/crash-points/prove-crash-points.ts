import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { crashPointsPage, type Found } from './crash-points-page.ts'
import { CRASH_STORIES } from './crash-stories.ts'
import { runInLayer } from './run-in-layer.ts'
import type { StoryResult } from './walk-crash-points.ts'
import type { FaultsResult } from './walk-faults.ts'

/*
 * `make prove-crash-points`: every write of every protocol, on a real API server and PostgreSQL, and what came of it as
 * docs/results/crash-points.md, which is written anew with each protocol that is done. STORIES: a pattern of names; of the others, what
 * was found before stays on the page. KINDS: `killed` or `disturbed`, where only one is to be done. POINTS: a pattern of writes, to look
 * at one; then nothing is kept. WORLDS: how many walks at once. SEED: of the faults.
 */
type Line = StoryResult | FaultsResult
const { STORIES = '', POINTS = '', KINDS = POINTS && 'killed', WORLDS = '12', SEED = '1' } = process.env
const root = resolve(import.meta.dirname, '../../..')
const TARGET = join(root, 'docs/results/crash-points.md')
const KEPT = join(root, '.cache/crash-points')

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim()
const of = { commit, date: new Date().toISOString().slice(0, 10), seed: SEED }
const failures: string[] = []
if (STORIES === '' && KINDS === '') rmSync(KEPT, { recursive: true, force: true })
mkdirSync(KEPT, { recursive: true })
await runInLayer<Line>(
  'run-crash-points.ts',
  { STORIES, POINTS, KINDS, WORLDS, SEED },
  { print: console.log, onLine: note },
)
for (const failure of failures) console.error(failure)
process.exitCode = failures.length > 0 ? 1 : 0

function note(line: Line): void {
  const kind = 'faults' in line ? 'disturbed' : 'killed'
  if ('faults' in line)
    for (const { fault, why } of line.faults)
      if (why !== undefined) failures.push(`${line.story}, ${fault}: ${why}`)
  if ('failed' in line) {
    const { story, writes, points, failed, notReached, seconds } = line
    console.log(`${story}: ${writes} writes, killed after ${points}, ${failed.length} failed, ${notReached.length} not reached, ${seconds} s`) // biome-ignore format: one line
    failures.push(...failed.map(({ point, why }) => `${story}, killed after ${point}: ${why}`))
  }
  if (POINTS !== '') return
  writeFileSync(join(KEPT, `${kind}, ${line.story}.json`), JSON.stringify({ ...line, ...of }))
  writeFileSync(TARGET, crashPointsPage(found(), machine()))
}

function found() {
  const kept = <Result>(kind: string) =>
    readdirSync(KEPT)
      .filter((file) => file.startsWith(`${kind}, `))
      .map((file) => JSON.parse(readFileSync(join(KEPT, file), 'utf8')) as Found<Result>)
  return {
    stories: CRASH_STORIES,
    killed: kept<StoryResult>('killed'),
    disturbed: kept<FaultsResult>('disturbed'),
  }
}

function machine(): string {
  const [core] = cpus()
  return `Node ${process.version}, ${cpus().length} × ${core?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared with other work`
}
