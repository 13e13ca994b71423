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
  lag_us: number | null
  took_s: number
  events_written: number
  log_rows: number
}>

/**
 * Runs `disturb` while the sampler writes and asks, with calm time before and after, and answers its judgement. Asserts
 * what makes a judgement worth having: enough samples, enough events, and nothing wrong.
 */
export async function runSampler(
  cluster: Cluster,
  scenario: string,
  disturb: () => Promise<void>,
  calmMs: Readonly<{ before: number; after: number }> = { before: 4_000, after: 6_000 },
): Promise<SamplerResult> {
  const { namespace, cluster: name } = QUICKSTART
  const child = spawnInsideCluster(cluster, [
    'e2e/sampler/main.ts',
    ...['--scenario', scenario, '--namespace', 'production', '--table', 'events'],
    ...['--gateway', `http://${name}-gateway.${namespace}.svc:8088`],
    ...['--query', `http://${name}-query.${namespace}.svc:8081`],
    ...['--brokers', `kafka.${namespace}.svc:9092`],
    ...['--topic', `truenow.${namespace}.${name}.production.events`],
    ...['--seed', String(1 + Math.floor(Math.random() * 1_000_000))],
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
  const result = JSON.parse(line) as SamplerResult
  console.log(line)
  assert.equal(result.wrong, 0, 'wrong answers')
  assert.ok(
    result.samples >= 9 * result.took_s,
    `${result.samples} samples in ${result.took_s} s are too few`,
  )
  return result
}
