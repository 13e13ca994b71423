import { test } from 'node:test'
import { runChaos, type Scenario } from './chaos.ts'

const SEED = Number(process.env.SEED ?? 20_260_101)
const scenarios: readonly Scenario[] = [
  'killed at a call',
  'killed at a call',
  'killed at any time',
  'damaged, the log heals',
  'damaged, a peer heals',
  'taker killed',
  'giver killed',
]

for (const [at, scenario] of scenarios.entries()) {
  test(`chaos: ${scenario} (SEED=${SEED + at}; at length: make chaos)`, async () => {
    await runChaos(scenario, SEED + at)
  })
}
