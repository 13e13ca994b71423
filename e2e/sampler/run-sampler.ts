import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { spawnInsideCluster } from '../inside-cluster.ts'
import { QUICKSTART } from '../install-truenow.ts'

/** The sampler's one line. */
export type SamplerResult = Readonly<{
  scenario: string
  samples: number
  wrong: number
  partial: number
  incomplete: number
  complete: number
  failed: number
  outage_ms: number
  /** Answers that looked into Redis, and those that were found there. */
  cache_asked: number
  cache_hits: number
  lag_us: number | null
  took_s: number
  events_written: number
  log_rows: number
}>

export type SamplerOptions = Readonly<{
  /** @default 2,000 and 6,000 */
  calmMs?: Readonly<{ before: number; after: number }>
  /** `half`: every second question may be answered from Redis. @default off */
  cache?: 'off' | 'half'
  /** Kubernetes namespace of the cluster `demo` that is asked. @default the quickstart's */
  namespace?: string
}>
const SAMPLES_PER_SECOND_MIN = 10
const EVENTS_PER_SECOND_MIN = 2_000

/**
 * Runs `disturb` while the sampler writes and asks, with calm time before and after, and answers its judgement. Asserts
 * what makes a judgement worth having: at least 10 samples and 2,000 events a second, complete answers among them, and
 * nothing wrong.
 */
export async function runSampler(
  cluster: Cluster,
  scenario: string,
  disturb: () => Promise<void>,
  {
    calmMs = { before: 2_000, after: 6_000 },
    cache = 'off',
    namespace = QUICKSTART.namespace,
  }: SamplerOptions = {},
): Promise<SamplerResult> {
  const { namespace: outside, cluster: name } = QUICKSTART
  const child = spawnInsideCluster(cluster, [
    'e2e/sampler/main.ts',
    ...['--scenario', scenario, '--namespace', 'production', '--table', 'events'],
    ...['--gateway', `http://${name}-gateway.${namespace}.svc:8088`],
    ...['--query', `http://${name}-query.${namespace}.svc:8081`],
    ...['--brokers', `kafka.${outside}.svc:9092`],
    ...['--topic', `truenow.${namespace}.${name}.production.events`],
    ...['--cache', cache, '--seed', String(1 + Math.floor(Math.random() * 1_000_000))],
  ])
  const output = text(child.stdout as NodeJS.ReadableStream)
  let line = ''
  try {
    await sleep(calmMs.before)
    await disturb()
    await sleep(calmMs.after)
  } finally {
    child.stdin?.end()
    line = (await output).trim().split('\n').at(-1) ?? ''
  }
  assert.ok(line.startsWith('{'), `${scenario}: the sampler ended without a judgement; it says why above`)
  const result = JSON.parse(line) as SamplerResult
  console.log(line)
  assert.equal(result.wrong, 0, 'wrong answers')
  const { took_s: tookS, samples, events_written: events } = result
  assert.ok(samples >= SAMPLES_PER_SECOND_MIN * tookS, `${samples} samples in ${tookS} s are too few`)
  assert.ok(events >= EVENTS_PER_SECOND_MIN * tookS, `${events} events in ${tookS} s are too few`)
  assert.ok(result.complete > 0, 'no answer was complete')
  return result
}
