import type { StoryResult } from './walk-crash-points.ts'
import { type FaultsResult, REQUESTS_PER_SECOND_MAX } from './walk-faults.ts'

/** What one run found of one protocol, and which tree it ran. */
export type Found<Result> = Result & Readonly<{ commit: string; date: string; seed: string }>
export type AllFound = Readonly<{
  /** Every protocol that there is, in order, whether it was walked or not. */
  stories: ReadonlyArray<Readonly<{ name: string }>>
  killed: ReadonlyArray<Found<StoryResult>>
  disturbed: ReadonlyArray<Found<FaultsResult>>
}>

/** docs/results/crash-points.md, of all that was walked so far; what was not is named. Pure. */
export function crashPointsPage({ stories, killed, disturbed }: AllFound, machine: string): string {
  return [
    '# Operators killed after every write',
    '',
    `Written by \`make prove-crash-points\`, which \`STORIES='^scale in'\` keeps to some protocols and \`WORLDS=…\` to so many walks at once, ${machine}.`,
    'The whole operator, with its client, caches and Lease, on a real API server with the controllers of Kubernetes and a real PostgreSQL under the real control plane; kubelet, storage and',
    'shards are scripts ([design/0012](../design/0012-crash-points.md)). Each protocol is walked once undisturbed, then once for each of its writes with the operator killed after it; another operator waits for the',
    'Lease to run out and goes on. A point passes only if all objects and the catalog then stand as after the undisturbed walk, and still do a while later.',
    '',
    ...killedLines(stories, killed),
    '',
    '## An API server that is slow, fails, or tells late, twice or never',
    '',
    `The same protocols with a server of the test between operator and API server, for as long as they last. They come to the same end, and then ask at most ${REQUESTS_PER_SECOND_MAX} times a second beside the Lease,`,
    'although the fault goes on and the operator looks at everything once a second here.',
    '',
    ...disturbedLines(stories, disturbed),
    '',
  ].join('\n')
}

function killedLines(stories: AllFound['stories'], killed: AllFound['killed']): string[] {
  const sum = (count: (result: StoryResult) => number) => killed.reduce((total, one) => total + count(one), 0)
  const passed = ({ points, failed }: StoryResult) => points - failed.length
  const told = killed.flatMap(({ story, failed, notReached }) => [
    ...failed.map(({ point, why }) => `- ${story}, killed after ${point}: ${oneLine(why)}`),
    ...notReached.map((point) => `- ${story}, ${point}: it did not come again`),
  ])
  return [
    '| protocol | writes | killed after | the same end | another end | did not come again | seconds | commit |',
    '|---|---|---|---|---|---|---|---|',
    ...stories.map(({ name }) => {
      const found = killed.find(({ story }) => story === name)
      if (found === undefined) return `| ${name} | not walked | | | | | | |`
      const { writes, points, failed, notReached, seconds, commit, date } = found
      return `| ${name} | ${writes} | ${points} | ${passed(found)} | ${failed.length} | ${notReached.length} | ${seconds} | ${commit}, ${date} |`
    }),
    `| all | ${sum(({ writes }) => writes)} | ${sum(({ points }) => points)} | ${sum(passed)} | ${sum(({ failed }) => failed.length)} | ${sum((one) => one.notReached.length)} | | |`,
    '',
    'How often status is written, and which Events tell of what lies between, depends on the moment: a write that is waited for in two walks and does not come is counted as such, and passes for nothing.',
    'Protocols are walked beside each other, so their seconds overlap.',
    ...(told.length === 0 ? [] : ['', ...told]),
  ]
}

function disturbedLines(stories: AllFound['stories'], disturbed: AllFound['disturbed']): string[] {
  const rows = stories.flatMap(({ name }) => {
    const found = disturbed.find(({ story }) => story === name)
    if (found === undefined) return [`| ${name} | not walked | | | | |`]
    const { faults, seed, commit, date } = found
    return faults.map(({ fault, struck, requestsPerSecond, why }) => {
      const end = why === undefined ? 'the same' : oneLine(why)
      return `| ${name} | ${fault} | ${struck} | ${requestsPerSecond} | ${end} | ${commit}, ${date}, \`SEED=${seed}\` |`
    })
  })
  return [
    '| protocol | fault | times it struck | requests a second at rest | end | commit |',
    '|---|---|---|---|---|---|',
    ...rows,
  ]
}

const TOLD_CHARACTERS = 300
/** In a table and a list, and short: the run itself has printed all of it. */
const oneLine = (text: string): string =>
  text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, TOLD_CHARACTERS)
