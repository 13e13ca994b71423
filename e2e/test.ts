import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ResultsPage, writeScenarios } from './write-scenarios.ts'

/*
 * `make test`: every stage in order, its time, and at the end the count of tests. Stages joined by `+` run at once, since both wait more
 * than they compute; what the later ones print follows what the first printed. A stage that finds no test fails, and
 * so does a skipped test where everything can run (root on Linux): a check that cannot fail is no check.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const canRunAll = process.platform === 'linux' && process.getuid?.() === 0
/** Hundreds of processes load the same modules. */
process.env.NODE_COMPILE_CACHE ??= join(root, '.cache/compiled')

/** A test that hangs fails by its name, long before CI ends the whole run without one. */
const TEST_MS = 600_000
const LONG_TEST_MS = 2_400_000

/** Reads source text only: whoever changes a quoted line hears of it in seconds. */
const QUOTED_LINES = 'workloads/hot-tier/test/oracle/mutations.test.ts'

type Counts = { passed: number; failed: number; skipped: number }
type Print = (text: string) => void
type Stage = (print: Print) => Promise<Counts>

const STAGES: Readonly<Record<string, Stage>> = {
  check: async (print) => {
    await command('lint and format', ['biome', 'check', '--error-on-warnings', '.'], print)
    await command('types', ['tsc', '--noEmit', '-p', '.'], print)
    await command('import rules', ['node', 'e2e/check-imports.ts'], print)
    await command('generated files', ['node', 'e2e/generate.ts', '--check'], print)
    return { passed: 4, failed: 0, skipped: 0 }
  },
  unit: (print) =>
    nodeTests('unit', print, [
      'tidy.test.ts',
      ...find(QUOTED_LINES),
      ...find('workloads/*/src/**/*.test.ts'),
      ...find('operator/src/**/*.test.ts'),
      ...find('charts/**/*.test.ts'),
      ...find('cdk8s/**/*.test.ts'),
      ...find('e2e/{oracle,load,sampler}/**/*.test.ts'),
    ]),
  integration: (print) =>
    nodeTests('integration', print, [
      ...find('workloads/*/test/**/*.test.ts').filter((file) => file !== QUOTED_LINES),
      ...find('operator/test/**/*.test.ts'),
    ]),
  // The local Kubernetes proves itself first, then the operator on an API server without pods.
  cluster: asRoot(async (print) => {
    const alone = { concurrency: 1 }
    const bare = await nodeTests('the local cluster', print, find('e2e/cluster/**/*.test.ts'), alone)
    if (bare.failed > 0) return bare
    const killed = find('operator/test/crash-points/crash-points-sample.ts')
    return added(bare, await nodeTests('operators killed', print, killed, alone))
  }),
  e2e: asRoot((print) => onTestCluster(print, ['e2e/*.test.ts'])),
  'e2e-long': longOnTestCluster(
    ['e2e/*.test.ts', 'e2e/scenarios/*.test.ts', 'workloads/truenow/test/version-skew.ts'],
    {
      file: 'e2e.md',
      title: 'Every disturbance on a real Kubernetes, under the sampler',
      command: 'make e2e',
    },
  ),
  'operator-kills': longOnTestCluster(['e2e/scenarios/operator-kills.ts'], {
    file: 'operator-kills.md',
    title: 'The leading operator killed again and again, with real pods',
    command: 'make prove-operator-kills',
  }),
  specs: longOnTestCluster(['e2e/scenarios/spec-and-back.test.ts']),
}

function asRoot(stage: Stage): Stage {
  if (canRunAll) return stage
  return async (print) => {
    print('end-to-end tests need root on Linux: skipped\n')
    return { passed: 0, failed: 0, skipped: 1 }
  }
}

function longOnTestCluster(patterns: readonly string[], page?: ResultsPage): Stage {
  return asRoot(async (print) => {
    const lines: string[] = []
    process.env.TRUENOW_E2E_LONG = '1' // Seen by longTest (test-cluster.ts) in the files that run.
    const onScenario = (line: string) => lines.push(line)
    const started = performance.now()
    const counts = await onTestCluster(print, patterns, { testMs: LONG_TEST_MS, onScenario })
    const tookS = (performance.now() - started) / 1_000
    if (page !== undefined) writeScenarios(root, page, lines, { ...counts, tookS })
    return counts
  })
}

/** One cluster with TrueNow on it serves every file. */
async function onTestCluster(
  print: Print,
  patterns: readonly string[],
  { testMs = TEST_MS, onScenario = (_line: string) => {} } = {},
): Promise<Counts> {
  const { startTestCluster } = await import('./test-cluster.ts')
  const cluster = await startTestCluster((line) => print(`${line}\n`))
  try {
    return await nodeTests('e2e', print, patterns.flatMap(find), {
      concurrency: 1,
      testMs,
      onLine: (line) => {
        if (line.startsWith('{"scenario":')) onScenario(line)
      },
    })
  } finally {
    await cluster.stop()
  }
}

function added(...all: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
}

const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: (name) => name === 'node_modules' }).toSorted()

/** Runs one program; its failure ends everything, named. */
async function command(what: string, argv: readonly string[], print: Print): Promise<void> {
  const started = performance.now()
  const { code } = await run(argv, print)
  if (code !== 0) throw new Error(`${what}: \`${argv.join(' ')}\` exited with ${code}`)
  print(`✔ ${what} (${seconds(started)} s)\n`)
}

async function nodeTests(
  what: string,
  print: Print,
  files: readonly string[],
  { concurrency = 2, testMs = TEST_MS, onLine = (_line: string) => {} } = {},
): Promise<Counts> {
  if (files.length === 0) throw new Error(`${what}: no test file was found`)
  const counts = { tests: 0, passed: 0, failed: 0, skipped: 0 }
  const limits = [`--test-concurrency=${concurrency}`, `--test-timeout=${testMs}`]
  const args = ['--test', '--test-reporter=spec', ...limits, ...files]
  const { code } = await run(['node', ...args], print, (line) => {
    onLine(line)
    const [, name, value] = /^ℹ (tests|pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line) ?? []
    if (name === 'tests') counts.tests += Number(value)
    if (name === 'pass') counts.passed += Number(value)
    if (name === 'fail' || name === 'cancelled') counts.failed += Number(value)
    if (name === 'skipped' || name === 'todo') counts.skipped += Number(value)
  })
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  if (counts.tests === 0) throw new Error(`${what}: ${files.length} files held no test`)
  return counts
}

function run(
  argv: readonly string[],
  print: Print,
  onLine = (_line: string) => {},
): Promise<{ code: number }> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = argv
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      print(text)
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1 }))
  })
}

const seconds = (startedMs: number): string => ((performance.now() - startedMs) / 1_000).toFixed(1)

async function runStage(name: string, print: Print): Promise<Counts> {
  const stage = STAGES[name]
  if (stage === undefined) throw new Error(`No stage '${name}'; there are ${Object.keys(STAGES).join(', ')}.`)
  const started = performance.now()
  try {
    const counts = await stage(print)
    const { passed, failed, skipped } = counts
    print(`== ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds(started)} s\n`)
    return counts
  } catch (error) {
    print(`== ${name}: ${(error as Error).message}\n`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

/** Output that waits for its turn. */
function heldOutput(): Readonly<{ print: Print; release: () => void }> {
  const held: string[] = []
  let print: Print = (text) => held.push(text)
  return {
    print: (text) => print(text),
    release: () => {
      print = (text) => process.stdout.write(text)
      print(held.join(''))
    },
  }
}

async function runTogether(names: readonly string[]): Promise<Counts> {
  const running = names.map((name) => {
    const { print, release } = heldOutput()
    return { release, ended: runStage(name, print) }
  })
  const counts: Counts[] = []
  for (const { release, ended } of running) {
    release()
    counts.push(await ended)
  }
  return added(...counts)
}

let total: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const names of process.argv.slice(2)) {
  total = added(total, await runTogether(names.split('+')))
  if (total.failed > 0) break
}
if (canRunAll && total.skipped > 0) {
  console.error(`${total.skipped} tests were skipped although root on Linux can run all of them.`)
  total.failed += 1
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0
