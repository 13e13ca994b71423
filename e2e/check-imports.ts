import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const CANARY = 'workloads/kernels/canary/imports-a-role.ts'
/** Far fewer modules than this means that the rules no longer see the code. */
const MODULES_MIN = 60

type Report = {
  summary: { totalCruised: number; violations: Array<{ from: string; to: string; rule: { name: string } }> }
}

function cruise(paths: readonly string[]): Report {
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...paths]
  const { stdout, stderr } = spawnSync('depcruise', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (stdout === '') throw new Error(`dependency-cruiser said nothing: ${stderr}`)
  return JSON.parse(stdout) as Report
}

const { summary } = cruise(['workloads', 'operator', 'cdk8s', 'e2e'])
const found = summary.violations.filter(({ from }) => from !== CANARY)
const canary = summary.violations.filter(({ from }) => from === CANARY).map(({ rule }) => rule.name)
for (const { rule, from, to } of found) console.error(`${rule.name}: ${from} imports ${to}`)
const seen = ['workloads-kernels-imports', 'kafkajs-only-in-workloads-chassis-'].every((name) =>
  canary.includes(name),
)
if (!seen)
  console.error(
    `The canary ${CANARY} was not reported (only ${canary.join(', ') || 'nothing'}): the rules are blind.`,
  )
if (summary.totalCruised < MODULES_MIN) console.error(`Only ${summary.totalCruised} modules were seen.`)
if (found.length > 0 || !seen || summary.totalCruised < MODULES_MIN) process.exit(1)
console.log(`import rules: ${summary.totalCruised} modules, the canary sings`)
