import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { eventually } from './eventually.ts'
import { firstAnswer } from './first-answer.ts'
import { QUICKSTART } from './install-truenow.ts'
import { killPod } from './kill-pod.ts'
import { assertUnnoticed } from './sampler/assert-unnoticed.ts'
import { runSampler } from './sampler/run-sampler.ts'
import { kubectl, type Relay } from './target.ts'
import { testCluster } from './test-cluster.ts'

/*
 * TrueNow from outside, on a real Kubernetes: HTTP and kubectl only. Every disturbance runs under the sampler, whose
 * judge recounts the log up to each answer's own positions.
 */
const { namespace, cluster: name, tables } = QUICKSTART
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
let cluster: Cluster
let gateway: Relay
let query: Relay

before(async () => {
  cluster = await testCluster()
  gateway = await cluster.relay({ namespace, service: `${name}-gateway`, port: 8088 })
  query = await cluster.relay({ namespace, service: `${name}-query`, port: 8081 })
})
after(async () => {
  await gateway?.close()
  await query?.close()
})

const ask = async (statement: Readonly<Record<string, unknown>>) => {
  const response = await fetch(`${query.url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(statement),
  })
  return { status: response.status, body: JSON.parse(await response.text()) }
}
const get = async (args: readonly string[]) =>
  JSON.parse(await kubectl(cluster, ['-n', namespace, 'get', ...args, '-o', 'json']))
const podsOf = async (role: string): Promise<string[]> => {
  const { items } = await get(['pods', '-l', `app.kubernetes.io/component=${role}`])
  return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
}
const tableReady = (object: string) => async () => {
  const { status } = await get([`table/${object}`])
  const ready = status?.conditions?.find(({ type }: { type: string }) => type === 'Ready')
  return ready?.status === 'True' ? undefined : `${ready?.reason}: ${ready?.message}`
}
const containerOf = async (pod: string): Promise<{ ready: boolean; restartCount: number } | undefined> =>
  (await get([`pod/${pod}`])).status?.containerStatuses?.[0]
const restartsOf = async (pod: string) => (await containerOf(pod))?.restartCount ?? 0
const restarted = (pod: string, before: number) => async () => {
  const container = await containerOf(pod)
  const back = container?.ready === true && container.restartCount > before
  return back ? undefined : `${pod}: ${container?.restartCount} restarts, ready ${container?.ready}`
}
/** Shards that said hello with a volume the catalog did not know, and of how many replicas that made `joining` ones. */
const emptiedReplicas = async (shard: number): Promise<number[]> => {
  const logs = await kubectl(cluster, ['-n', namespace, 'logs', `deployment/${name}-control-plane`])
  return logs
    .split('\n')
    .filter((line) => line.includes('"shard registered"'))
    .map((line) => JSON.parse(line) as { shard: number; recognised: boolean; emptied: number })
    .filter((line) => line.shard === shard && !line.recognised && line.emptied > 0)
    .map(({ emptied }) => emptied)
}
const allReady = () => eventually('cluster Ready again', 90_000, tableReady('events'))

test('events posted over HTTP come back in answers that equal an independent recount', async (t) => {
  t.diagnostic(`seed ${SEED}`)
  const urls = { gateway: gateway.url, query: query.url }
  const run = `t${SEED.toString(36)}`
  const compared = await firstAnswer(urls, tables, { events: 40_000, seed: SEED, run })
  assert.deepEqual(compared.answer, compared.recount)
})

test('the three classic forms answer as they are, in several namespaces', async () => {
  const nowUs = Date.now() * 1_000
  const id = `classic-${SEED}`
  for (const target of tables) {
    const event = {
      event_id: id,
      event_time_us: nowUs,
      region: 'us-east',
      product: 'widget-a',
      user_id: 'u1',
      revenue: 12.5,
      items: 1,
    }
    const url = `${gateway.url}/v1/namespaces/${target.namespace}/tables/${target.table}/events`
    const post = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(event),
    })
    const { positions } = (await post.json()) as { positions: Record<string, number> }
    const form = {
      start_time: nowUs,
      end_time: nowUs + 1,
      namespace: target.namespace,
      table: target.table,
      at_least: positions,
    }
    const rows = await ask(form)
    assert.equal(rows.status, 200)
    assert.deepEqual(
      rows.body.rows,
      [{ latency_us: null, ...event }].map((row) => ({ ...row })),
    )
    const filtered = await ask({ ...form, filters: { region: 'us-east', product: 'widget-a' } })
    assert.equal(filtered.body.rows.length, 1)
    const grouped = await ask({
      ...form,
      group_by: ['region', 'product'],
      aggregate: 'sum',
      metric: 'revenue',
    })
    assert.deepEqual(grouped.body.rows, [{ region: 'us-east', product: 'widget-a', sum_revenue: 12.5 }])
  }
})

test('empty results, invalid ranges and unknown names are answered properly', async () => {
  const [target] = tables
  const form = {
    start_time: 1_000_000,
    end_time: 2_000_000,
    namespace: target.namespace,
    table: target.table,
  }
  const none = await ask({
    ...form,
    aggregates: [{ aggregate: 'count' }, { aggregate: 'max', metric: 'items' }],
  })
  assert.equal(none.status, 200)
  assert.deepEqual(none.body.rows, [{ count: 0, max_items: null }])
  assert.equal((await ask({ ...form, end_time: 1_000_000 })).status, 400)
  assert.equal((await ask({ ...form, table: 'evnts' })).status, 404)
  const unknown = await ask({ ...form, group_by: ['regoin'], aggregate: 'count' })
  assert.equal(unknown.status, 400)
  assert.match(unknown.body.error.message, /region/)
})

test('a hot-tier pod killed with SIGKILL under load: no wrong answer, at most 2 s of failed or partial ones', async () => {
  const [pod = ''] = await podsOf('hot-tier')
  const before = await restartsOf(pod)
  const result = await runSampler(cluster, 'hot-tier-killed', async () => {
    await killPod(cluster, namespace, pod)
    await eventually('the shard is back', 60_000, restarted(pod, before))
    await allReady()
  })
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
})

test('an ingester killed: no wrong answer, none failed or partial', async () => {
  const [pod = ''] = await podsOf('ingester')
  const before = await restartsOf(pod)
  const result = await runSampler(cluster, 'ingester-killed', async () => {
    await killPod(cluster, namespace, pod)
    await eventually('the ingester is back', 60_000, restarted(pod, before))
  })
  assertUnnoticed(result)
})

test('Redis stopped: slower, never wrong, nothing failed or partial', async () => {
  const redis = (replicas: number) =>
    kubectl(cluster, ['-n', namespace, 'scale', 'deployment/redis', `--replicas=${replicas}`])
  const gone = ['wait', '--for=delete', 'pod', '-l', 'app.kubernetes.io/name=redis', '--timeout=60s']
  const stop = async () => {
    await redis(0)
    await kubectl(cluster, ['-n', namespace, ...gone])
  }
  const calmMs = { before: 8_000, after: 6_000 }
  const result = await runSampler(cluster, 'redis-stopped', stop, { cache: 'half', calmMs }).finally(() =>
    redis(1),
  )
  assertUnnoticed(result)
  assert.ok(result.cache_hits > 0, `of ${result.cache_asked} answers none came from Redis while it was there`)
})

test('a hot-tier pod deleted with its volume: its replicas come back as joining, never as an empty serving', async () => {
  const pods = await podsOf('hot-tier')
  const pod = pods.at(-1) ?? ''
  const shard = Number(pod.split('-').at(-1))
  const before = (await emptiedReplicas(shard)).length
  const { items } = await get(['pvc'])
  const claim = items
    .map(({ metadata }: { metadata: { name: string } }) => metadata.name)
    .find((pvc: string) => pvc.endsWith(pod))
  const result = await runSampler(cluster, 'hot-tier-volume-lost', async () => {
    await kubectl(cluster, ['-n', namespace, 'delete', `pvc/${claim}`, '--wait=false'])
    await kubectl(cluster, ['-n', namespace, 'delete', `pod/${pod}`, '--grace-period=0', '--force'])
    await eventually('the shard has said hello with an empty volume', 60_000, async () =>
      (await emptiedReplicas(shard)).length > before ? undefined : 'not yet',
    )
    await allReady()
  })
  const emptied = (await emptiedReplicas(shard)).at(-1)
  // Two tables of eight slots at least, and a replica of each on this shard.
  assert.ok((emptied ?? 0) >= 16, `${emptied} replicas of the lost volume became joining`)
  assert.ok(result.outage_ms <= 2_000, `failed or partial for ${result.outage_ms} ms`)
})
