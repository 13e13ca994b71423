import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PartialQueryRequest } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { dealtBlocks, startBenchLogs } from './bench-logs.ts'
import { benchQuestions, type Question, statementOf } from './bench-questions.ts'
import { askShard } from './bench-shard.ts'
import { startBenchWorkers } from './bench-workers.ts'
import { definition } from './event-blocks.ts'

/*
 * Where the time of the rows of hot-tier.bench.ts goes: the same shard and questions without the peers, each asked for ASK_MS once its code
 * is compiled, under V8's sampling profiler. One line a row and thread: `queries`, `ms_per_query`, and of each function its share of the
 * thread's time in that stretch; `(idle)` is waiting, `(garbage collector)` is V8's on that thread. Kernels go by the names of `assembly/`.
 * It starts itself a second time, with the profiler on.
 */
const ROWS = Number(process.env.ROWS ?? 20_000_000)
const THREADS = Number(process.env.THREADS ?? 1)
/** Beginning of the names of the rows that are asked; empty: all. */
const ONLY = process.env.ONLY ?? ''
const WARM_UP_MS = 1_500
const ASK_MS = 5_000
const SAMPLE_US = 200
/** Functions below this share of a thread's time are not printed. */
const SHARE_MIN = 0.01

type Stretch = Readonly<{ row: string; fromUs: number; toUs: number; queries: number }>
type Node = Readonly<{ id: number; callFrame: Readonly<{ functionName: string; url: string }> }>
type Profile = Readonly<{ nodes: Node[]; startTime: number; samples: number[]; timeDeltas: number[] }>

/** Monotonic microseconds: the clock of the profiler. */
const nowUs = () => Number(process.hrtime.bigint() / 1_000n)
const [, self, directory] = process.argv
if (directory === undefined) profileItself()
else writeFileSync(join(directory, 'stretches.json'), JSON.stringify(await askAll(directory)))

async function askAll(directory: string): Promise<readonly Stretch[]> {
  const logs = await startBenchLogs(dealtBlocks(ROWS))
  const workers = await startBenchWorkers(THREADS, definition, join(directory, 'shard'), logs.address)
  const stretches: Stretch[] = []
  try {
    await workers.applied(ROWS)
    const { signal } = new AbortController()
    const execute = (request: PartialQueryRequest) => workers.router.execute(request, signal)
    for (const question of benchQuestions(ONLY)) {
      if ('skipped' in question) continue
      await askFor(WARM_UP_MS, execute, question)
      stretches.push(await askFor(ASK_MS, execute, question))
    }
  } finally {
    await workers.close()
    await logs.close()
  }
  return stretches
}

async function askFor(
  milliseconds: number,
  execute: Parameters<typeof askShard>[0],
  question: Question,
): Promise<Stretch> {
  const fromUs = nowUs()
  let queries = 0
  for (; nowUs() < fromUs + milliseconds * 1_000; queries++)
    await askShard(execute, definition, statementOf(question))
  return { row: question.row, fromUs, toUs: nowUs(), queries }
}

function profileItself(): void {
  assert(self !== undefined)
  const scratch = mkdtempSync(join(tmpdir(), 'truenow-profile-'))
  try {
    const profiler = ['--cpu-prof', '--cpu-prof-dir', scratch, '--cpu-prof-interval', String(SAMPLE_US)]
    const flags = [...process.execArgv, ...profiler]
    const { status } = spawnSync(process.execPath, [...flags, self, scratch], { stdio: 'inherit' })
    assert.equal(status, 0, 'the profiled process must end well')
    const stretches = JSON.parse(readFileSync(join(scratch, 'stretches.json'), 'utf8')) as Stretch[]
    for (const name of readdirSync(scratch).filter((file) => file.endsWith('.cpuprofile'))) {
      const profile = JSON.parse(readFileSync(join(scratch, name), 'utf8')) as Profile
      for (const stretch of stretches) printShares(profile, stretch)
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function printShares(profile: Profile, stretch: Stretch): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const times = new Map<string, number>()
  let atUs = profile.startTime
  for (const [index, sample] of profile.samples.entries()) {
    const tookUs = profile.timeDeltas[index + 1] ?? 0
    atUs += profile.timeDeltas[index] ?? 0
    if (atUs < stretch.fromUs || atUs >= stretch.toUs) continue
    const name = nameOf(nodes.get(sample))
    times.set(name, (times.get(name) ?? 0) + tookUs)
  }
  const allUs = [...times.values()].reduce((sum, us) => sum + us, 0)
  const shares = [...times].map(([name, us]) => [name, Number((us / allUs).toFixed(3))] as const)
  const worker = profile.nodes.some(({ callFrame }) => callFrame.url.endsWith('/run-worker-thread.ts'))
  console.log(
    JSON.stringify({
      bench: 'hot-tier-profile',
      row: stretch.row,
      rows: ROWS,
      threads: THREADS,
      thread: worker ? 'worker' : 'main',
      queries: stretch.queries,
      ms_per_query: Number(((stretch.toUs - stretch.fromUs) / stretch.queries / 1_000).toFixed(2)),
      shares: Object.fromEntries(
        shares.toSorted((a, b) => b[1] - a[1]).filter(([, share]) => share >= SHARE_MIN),
      ),
    }),
  )
}

/** A kernel as file/function of `assembly/`, what is JavaScript as function and file. */
function nameOf(node: Node | undefined): string {
  const { functionName = '', url = '' } = node?.callFrame ?? {}
  if (url.startsWith('wasm:')) return functionName.replace(/^assembly\//, '')
  const file = url.slice(url.lastIndexOf('/') + 1)
  return file === '' ? functionName || '(native)' : `${functionName || '(anonymous)'} ${file}`
}
