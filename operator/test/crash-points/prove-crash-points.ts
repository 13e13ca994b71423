import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { runInLayer } from './run-in-layer.ts'
import type { StoryResult } from './walk-crash-points.ts'
import { type FaultResult, REQUESTS_PER_SECOND_MAX } from './walk-faults.ts'

/*
 * `make prove-crash-points`: every write of every protocol, on a real API server and PostgreSQL, and what came of it as
 * docs/results/crash-points.md. STORIES: a pattern of names; then nothing is written. WORLDS: how many walks at once. SEED: of the faults.
 */
const { STORIES = '', WORLDS = '8', SEED = '1' } = process.env
const TARGET = new URL('../../../docs/results/crash-points.md', import.meta.url)

const startedMs = performance.now()
const lines = await runInLayer<StoryResult | FaultResult>(
  'run-crash-points.ts',
  { STORIES, WORLDS, SEED },
  console.log,
)
const results = lines.filter((line) => 'points' in line).toSorted((a, b) => a.story.localeCompare(b.story))
const faults = lines.filter((line) => 'fault' in line)
const seconds = Math.round((performance.now() - startedMs) / 1_000)
for (const { story, points, failed, notReached } of results)
  console.log(`${story}: ${points} points, ${failed.length} failed, ${notReached.length} not reached`)
if (STORIES === '') writeFileSync(TARGET, page())
const failures = [
  ...results.flatMap(({ story, failed }) =>
    failed.map(({ point, why }) => `${story}, killed after ${point}: ${why}`),
  ),
  ...faults.flatMap(({ story, fault, why }) => (why === undefined ? [] : [`${story}, ${fault}: ${why}`])),
]
for (const failure of failures) console.error(failure)
process.exitCode = failures.length > 0 ? 1 : 0

function page(): string {
  const [core] = cpus()
  const sum = (count: (result: StoryResult) => number) =>
    results.reduce((total, one) => total + count(one), 0)
  const notReached = results.flatMap(({ story, notReached: points }) =>
    points.map((point) => `- ${story}: ${point}`),
  )
  return [
    '# Operators killed after every write',
    '',
    `Written by \`make prove-crash-points\` (\`WORLDS=${WORLDS}\`) on ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${core?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared with other work; ${seconds} seconds.`,
    'The whole operator, with its client, caches and Lease, on a real API server with the controllers of Kubernetes and a real PostgreSQL under the real control plane; kubelet, storage and',
    'shards are scripts ([design/0012](../design/0012-crash-points.md)). Each protocol is walked once undisturbed, then once for each of its writes with the operator killed after it; another operator waits for the',
    'Lease to run out and goes on. A point passes only if all objects and the catalog then stand as after the undisturbed walk, and still do a while later.',
    '',
    '| protocol | killed after | other end | writes that did not come again |',
    '|---|---|---|---|',
    ...results.map(
      ({ story, points, failed, notReached: missed }) =>
        `| ${story} | ${points} | ${failed.length} | ${missed.length} |`,
    ),
    `| all | ${sum(({ points }) => points)} | ${sum(({ failed }) => failed.length)} | ${sum((one) => one.notReached.length)} |`,
    '',
    ...(notReached.length === 0
      ? []
      : [
          'How often status is written, and which Events tell of what lies between, depends on the moment. Waited for three times, and not seen again:',
          '',
          ...notReached,
          '',
        ]),
    '## An API server that is slow, fails, or tells late, twice or never',
    '',
    `The same protocols with a server of the test between operator and API server, for as long as they last (\`SEED=${SEED}\`). They come to the same end, and then ask at most ${REQUESTS_PER_SECOND_MAX} times a`,
    'second beside the Lease, although the fault goes on and the operator looks at everything once a second here.',
    '',
    '| fault | protocol | times it struck | requests a second at rest | end |',
    '|---|---|---|---|---|',
    ...faults.map(
      ({ fault, story, faults: times, requestsPerSecond, why }) =>
        `| ${fault} | ${story} | ${times} | ${requestsPerSecond} | ${why === undefined ? 'the same' : 'failed'} |`,
    ),
    '',
  ].join('\n')
}
