import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { seededRandom } from '@truenow/kernels/replica/testing/random-log.ts'
import { createDuplicateBlocks, ROWS_A_BLOCK } from './duplicate-blocks.ts'
import type { JudgingLine, JudgingTask } from './judging-shard.ts'

type LineOf<Kind extends JudgingLine['kind']> = Extract<JudgingLine, { kind: Kind }>
type Options = Omit<JudgingTask, 'directory'> &
  Readonly<{ kills: number; told?: (line: JudgingLine) => void }>

/** Judges all blocks in a process that is killed `kills` times at random blocks and starts again from its volume. */
export async function proveDedup({ kills, told = () => {}, ...task }: Options) {
  const directory = mkdtempSync(join(tmpdir(), 'truenow-prove-dedup-'))
  const random = seededRandom(task.seed)
  const starts: Array<LineOf<'begins'>> = []
  const wrong: Array<LineOf<'wrong'>> = []
  const ends: Array<LineOf<'ended'>> = []
  let [bytesAnIdMax, pauseMsMax] = [0, 0]
  try {
    for (let start = 0; start <= kills; start++) {
      // The log in equal parts; each kill falls somewhere in its part.
      const killAt = start === kills ? Infinity : Math.floor(((start + 0.3 + 0.6 * random()) * task.blocks) / (kills + 1)) // biome-ignore format: one line
      await runOnce({ ...task, directory }, killAt, (line) => {
        told(line)
        if (line.kind === 'begins') starts.push(line)
        else if (line.kind === 'wrong') wrong.push(line)
        else if (line.kind === 'ended') ends.push(line)
        else {
          // Of a handful of ids the empty tables are most of the bytes.
          if (line.block * 5 > task.blocks) bytesAnIdMax = Math.max(bytesAnIdMax, line.bytesAnId)
          pauseMsMax = Math.max(pauseMsMax, line.pauseMs)
        }
      })
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  const [ended] = ends
  assert.ok(ended !== undefined && ends.length === 1, 'the last process ends by itself, and only that one')
  const lost = wrong.filter(({ what }) => what === 'lost').length
  return {
    starts,
    lost,
    doubled: wrong.length - lost,
    ended,
    bytesAnIdMax,
    pauseMsMax,
    expected: expectedOf(task),
  }
}

/** What the log holds, counted without judging. */
function expectedOf({ blocks, seed }: Pick<JudgingTask, 'blocks' | 'seed'>) {
  const log = createDuplicateBlocks(seed)
  const [words, duplicates] = [new Uint32Array(ROWS_A_BLOCK * 4), new Uint8Array(ROWS_A_BLOCK)]
  let deduplicated = 0
  for (let block = 0; block < blocks; block++) {
    log.fill(block, words, duplicates)
    for (const one of duplicates) deduplicated += one
  }
  return { applied: blocks * ROWS_A_BLOCK - deduplicated, deduplicated }
}

async function runOnce(task: JudgingTask, killAt: number, told: (line: JudgingLine) => void): Promise<void> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'judging-shard.ts'), JSON.stringify(task)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const exited = new Promise<unknown>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  )
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as JudgingLine
    told(line)
    if (line.kind === 'finished' && line.block >= killAt) child.kill('SIGKILL')
  }
  assert.equal(await exited, killAt === Infinity ? 0 : 'SIGKILL')
}

/** `make prove-dedup`: IDS (100 M) and SEED may be given. Writes docs/results/dedup.md. */
async function main(): Promise<void> {
  const idCount = Number(process.env.IDS ?? 100_000_000)
  const seed = Number(process.env.SEED ?? 20_261_126)
  const blocks = Math.ceil(idCount / 0.95 / ROWS_A_BLOCK)
  const startedMs = performance.now()
  const told = (line: JudgingLine): void => {
    if (line.kind !== 'finished') console.log(JSON.stringify(line))
    else if (line.block % 500 === 0) console.log(`block ${line.block} of ${blocks}`)
  }
  const proof = await proveDedup({ blocks, snapshotBlocks: 250, seed, limits: {}, kills: 3, told })
  const { lost, doubled, ended, expected, starts } = proof
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const figures: ReadonlyArray<readonly [string, string | number]> = [
    ['rows judged', (blocks * ROWS_A_BLOCK).toLocaleString('en')],
    ['ids, all remembered to the end', ended.held.toLocaleString('en')],
    ['rows with the id of an earlier row', ended.deduplicated.toLocaleString('en')],
    ['processes killed with SIGKILL', starts.length - 1],
    ['blocks at which they went on', starts.slice(1).map(({ block }) => block).join(', ')],
    ['ms to restore', starts.slice(1).map(({ restoreMs }) => Math.round(restoreMs)).join(', ')],
    ['**lost**', lost],
    ['**doubled**', doubled],
    ['bytes of memory an id, most after a fifth of the log', proof.bytesAnIdMax.toFixed(1)],
    ['ids in runs at the end', `${ended.inRuns.toLocaleString('en')} in ${ended.runs} runs`],
    ['bytes on the volume an id in runs', (ended.runBytes / ended.inRuns).toFixed(1)],
    ['filters: looks at a run of which nothing came, of all rows of the last process', `${ended.falseMaybes} of ${ended.maybes} looks`],
    ['CPU ns a row, writing and merging runs included (last process)', Math.round(ended.cpuNsARow)],
    ['longest block, ms', Math.round(proof.pauseMsMax)],
    ['seconds in all', seconds],
  ] // biome-ignore format: a table
  writeFileSync(
    join(import.meta.dirname, '../../../docs/results/dedup.md'),
    [
      `# Duplicates: ${idCount / 1_000_000} M ids through three kills`,
      '',
      `Written by \`make prove-dedup\` (\`IDS=${idCount} SEED=${seed}\`), Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared with other work.`,
      'Each row is judged against the log itself: its generator knows which rows carry the id of an earlier one, anywhere in the log.',
      '',
      '| | |',
      '|---|---|',
      ...figures.map(([name, value]) => `| ${name} | ${value} |`),
      '',
    ].join('\n'),
  )
  assert.deepEqual([lost, doubled], [0, 0])
  assert.deepEqual([ended.applied, ended.deduplicated, ended.held], [expected.applied, expected.deduplicated, expected.applied]) // biome-ignore format: one line
  assert.ok(proof.bytesAnIdMax <= 20, `${proof.bytesAnIdMax} bytes an id`)
}

if (import.meta.main) await main()
