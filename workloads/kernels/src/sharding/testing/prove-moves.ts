import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MOVE_GUARDS, type MoveGuards, NOBODY } from '../move-protocol.ts'
import { searchMoves } from './move-model.ts'
import { LONG_SCENARIOS, MOVE_SCENARIOS, SHOWS_WITHOUT, withoutGuard } from './move-scenarios.ts'

/*
 * `make prove-moves`: every state of the long scenarios, then every guard left out once; writes docs/results/moves.md. Ends
 * with 1 when anything is found wrong with the protocol, or nothing with a protocol that lacks a guard.
 */
const page = fileURLToPath(new URL('../../../../../docs/results/moves.md', import.meta.url))
let wrong = 0
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const searched = LONG_SCENARIOS.map((scenario) => {
  const startedMs = performance.now()
  const { states, steps, stuck, ends, violation } = searchMoves(scenario, MOVE_GUARDS)
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0)
  if (violation !== undefined || stuck > 0) {
    wrong += 1
    say(
      `${scenario.name}: ${violation?.what ?? `${stuck} states never rest`}\n  ${violation?.path.join('\n  ') ?? ''}`,
    )
  }
  const { name, shards, replicationFactor, moves, faults, reports, leaders } = scenario
  const nameOf = (shard: number) => (shard === NOBODY ? 'nobody' : shard)
  const what = moves.map(([from, to]) => `${nameOf(from)} → ${nameOf(to)}`).join(', ')
  const found = violation === undefined && stuck === 0 ? 'nothing' : '**wrong**'
  const row = `| ${name} | ${shards} | ${replicationFactor} | ${what} | ${faults} | ${reports} | ${leaders} | ${states.toLocaleString('en')} | ${steps.toLocaleString('en')} | ${ends.Done.toLocaleString('en')} | ${seconds} | ${found} |`
  say(row)
  return row
})
const canaries = Object.entries(SHOWS_WITHOUT).map(([guard, shows]) => {
  const scenario = MOVE_SCENARIOS.find(({ name }) => name === shows)
  if (scenario === undefined) throw new RangeError(`There is no scenario '${shows}'.`)
  const { violation } = searchMoves(scenario, withoutGuard(MOVE_GUARDS, guard as keyof MoveGuards))
  if (violation === undefined) wrong += 1
  return `| \`${guard}\` | ${violation?.what ?? '**nothing**'} | ${violation?.path.length ?? ''} |`
})

writeFileSync(
  page,
  `# Moves: every order of events

Written by \`make prove-moves\`, Node ${process.version}. Every state that can be reached is visited, breadth first; what a state is, and what must hold in it, says
[move-model.ts](../../workloads/kernels/src/sharding/testing/move-model.ts).

| scenario | shards | replication factor | moves planned | faults | reports under way | leaders | states | steps | states in which a move has just been Done | seconds | found wrong |
|---|---|---|---|---|---|---|---|---|---|---|---|
${searched.join('\n')}

From every one of these states there is a way to rest: every move over and the slot at full replication.

## Without one guard
What the search finds when one of the protocol's conditions always holds, and the length of the shortest way there.

| without | found | steps |
|---|---|---|
${canaries.join('\n')}
`,
)
say(`${wrong === 0 ? 'nothing is wrong' : `${wrong} things are wrong`}; written to ${page}`)
process.exitCode = wrong === 0 ? 0 : 1
