import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeScenarios } from './write-scenarios.ts'

/*
 * `make test`: every stage in order, its time, and at the end the count of tests. A stage that finds no test fails, and
 * so does a skipped test where everything can run (root on Linux): a check that cannot fail is no check.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const canRunAll = process.platform === 'linux' && process.getuid?.() === 0

/** A test that hangs fails by its name, long before CI ends the whole run without one. */
const TEST_MS = 600_000
const LONG_TEST_MS = 2_400_000

type Counts = { passed: number; failed: number; skipped: number }
type Stage = () => Promise<Counts>

const STAGES: Readonly<Record<string, Stage>> = {
  check: async () => {
    await command('lint and format', ['biome', 'check', '--error-on-warnings', '.'])
    await command('types', ['tsc', '--noEmit', '-p', '.'])
    await command('import rules', ['node', 'e2e/check-imports.ts'])
    await command('generated files', ['node', 'e2e/generate.ts', '--check'])
    return { passed: 4, failed: 0, skipped: 0 }
  },
  unit: () =>
    nodeTests('unit', [
      'tidy.test.ts',
      ...find('workloads/*/src/**/*.test.ts'),
      ...find('operator/src/**/*.test.ts'),
      ...find('charts/**/*.test.ts'),
      ...find('cdk8s/**/*.test.ts'),
      ...find('e2e/{oracle,load,sampler}/**/*.test.ts'),
    ]),
  integration: () =>
    nodeTests('integration', [
      ...find('workloads/*/test/**/*.test.ts'),
      ...find('operator/test/**/*.test.ts'),
    ]),
  e2e: () => endToEnd(['e2e/*.test.ts']),
  'e2e-long': async () => {
    const lines: string[] = []
    process.env.TRUENOW_E2E_LONG = '1' // Seen by longTest (test-cluster.ts) in the files that run.
    const counts = await endToEnd(
      ['e2e/*.test.ts', 'e2e/scenarios/*.test.ts', 'workloads/truenow/test/version-skew.ts'],
      { testMs: LONG_TEST_MS, onScenario: (line) => lines.push(line) },
    )
    if (counts.failed === 0 && counts.skipped === 0) writeScenarios(root, lines)
    return counts
  },
}

/** The local Kubernetes proves itself first, then the operator on an API server without pods; then one cluster with TrueNow on it serves every other file. */
async function endToEnd(
  patterns: readonly string[],
  { testMs = TEST_MS, onScenario = (_line: string) => {} } = {},
): Promise<Counts> {
  if (!canRunAll) {
    console.log('end-to-end tests need root on Linux: skipped')
    return { passed: 0, failed: 0, skipped: 1 }
  }
  const bare = await nodeTests('e2e: cluster', find('e2e/cluster/**/*.test.ts'), { concurrency: 1 })
  if (bare.failed > 0) return bare
  const killed = await nodeTests(
    'e2e: operators killed',
    find('operator/test/crash-points/crash-points-sample.ts'),
    { concurrency: 1 },
  )
  if (killed.failed > 0) return killed
  const { startTestCluster } = await import('./test-cluster.ts')
  const cluster = await startTestCluster((line) => console.log(line))
  try {
    const whole = await nodeTests('e2e', patterns.flatMap(find), {
      concurrency: 1,
      testMs,
      onLine: (line) => {
        if (line.startsWith('{"scenario":')) onScenario(line)
      },
    })
    return added([bare, killed, whole])
  } finally {
    await cluster.stop()
  }
}

function added(all: readonly Counts[]): Counts {
  const sum = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0)
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') }
}

const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: (name) => name === 'node_modules' }).toSorted()

/** Runs one program; its failure ends everything, named. */
async function command(what: string, argv: readonly string[]): Promise<void> {
  const started = performance.now()
  const { code } = await run(argv, () => {})
  if (code !== 0) throw new Error(`${what}: \`${argv.join(' ')}\` exited with ${code}`)
  console.log(`✔ ${what} (${seconds(started)} s)`)
}

async function nodeTests(
  what: string,
  files: readonly string[],
  { concurrency = 2, testMs = TEST_MS, onLine = (_line: string) => {} } = {},
): Promise<Counts> {
  if (files.length === 0) throw new Error(`${what}: no test file was found`)
  const counts = { tests: 0, passed: 0, failed: 0, skipped: 0 }
  const limits = [`--test-concurrency=${concurrency}`, `--test-timeout=${testMs}`]
  const args = ['--test', '--test-reporter=spec', ...limits, ...files]
  const { code } = await run(['node', ...args], (line) => {
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

function run(argv: readonly string[], onLine: (line: string) => void): Promise<{ code: number }> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = argv
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      process.stdout.write(text)
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1 }))
  })
}

const seconds = (startedMs: number): string => ((performance.now() - startedMs) / 1_000).toFixed(1)

const total: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const name of process.argv.slice(2)) {
  const stage = STAGES[name]
  if (stage === undefined) throw new Error(`No stage '${name}'; there are ${Object.keys(STAGES).join(', ')}.`)
  const started = performance.now()
  try {
    const { passed, failed, skipped } = await stage()
    console.log(`== ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds(started)} s`)
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
  } catch (error) {
    console.error(`== ${name}: ${(error as Error).message}`)
    total.failed += 1
  }
  if (total.failed > 0) break
}
if (canRunAll && total.skipped > 0) {
  console.error(`${total.skipped} tests were skipped although root on Linux can run all of them.`)
  total.failed += 1
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0
