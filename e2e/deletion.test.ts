import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import type { Cluster } from './cluster/cluster.ts'
import { eventually } from './eventually.ts'
import { spawnInsideCluster } from './inside-cluster.ts'
import { OPERATOR_NAMESPACE, QUICKSTART } from './install-truenow.ts'
import { generateEvents } from './load/generate-events.ts'
import { postEvents } from './load/post-events.ts'
import { type DeletionPolicy, secondCluster } from './second-cluster.ts'
import { kubectl } from './target.ts'
import { longTest, testCluster } from './test-cluster.ts'

/*
 * Whatever is deleted ends within 90 s; what stays is told by an Event, and the same identity created again finds it. All on
 * a cluster that shares name, table, Kafka and PostgreSQL with the quickstart's. Each test goes on where the last one ended.
 */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000)
const RUN = `d${SEED.toString(36)}`
const END_S_MAX = 90
const EVENTS = 500
const namespace = 'leaving'
const { cluster: name } = QUICKSTART
const topic = (table: string) => `truenow.${namespace}.${name}.production.${table}`
const volume = `data-${name}-hot-tier-0`
let cluster: Cluster
/** What the gateway acknowledged: answers must have seen these. */
let positions: Readonly<Record<string, number>> = {}

before(async () => {
  cluster = await testCluster()
})
after(async () => {
  await kubectl(cluster, [...OPERATOR, 'scale', 'deployment/truenow-operator', '--replicas=2'])
  await kubectl(cluster, ['delete', 'namespace', namespace, '--ignore-not-found', `--timeout=${END_S_MAX}s`])
})

const OPERATOR = ['-n', OPERATOR_NAMESPACE] as const
const here = (...args: string[]) => kubectl(cluster, ['-n', namespace, ...args])
const deleteInTime = (...args: string[]) =>
  kubectl(cluster, ['-n', namespace, 'delete', ...args, '--wait', `--timeout=${END_S_MAX}s`])

/** Applies the cluster with its Retain table, and scratch tables that are to go with their topics; waits for the tables. */
async function create(deletionPolicy: DeletionPolicy, ...scratch: string[]): Promise<void> {
  const going = scratch.map((object) => ({ object, deletionPolicy: 'Delete' as const }))
  const tables = [{ object: 'events' }, ...going]
  await kubectl(cluster, ['apply', '-f', '-'], secondCluster({ namespace, deletionPolicy, tables }))
  for (const { object } of tables)
    await here('wait', '--for=condition=Ready', `table/${object}`, '--timeout=120s')
}

/** Not before a predecessor of the same name has not renewed its claim for a minute; the tables are there at once. */
const clusterReady = () => here('wait', '--for=condition=Ready', `truenowcluster/${name}`, '--timeout=120s')

/** Rows of this run that a query Service counts, having seen at least `seen`. */
async function countRows(space: string, seen: Readonly<Record<string, number>>): Promise<number> {
  const query = await cluster.relay({ namespace: space, service: `${name}-query`, port: 8081 })
  try {
    const nowUs = Date.now() * 1_000
    const response = await fetch(`${query.url}/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ start_time: nowUs - 3_000_000_000, end_time: nowUs, namespace: 'production', table: 'events' },
        ...{ filters: { product: { like: `%@${RUN}` } }, aggregate: 'count', at_least: seen },
      }),
      signal: AbortSignal.timeout(20_000),
    })
    const answer = await response.text()
    assert.equal(response.status, 200, answer)
    return JSON.parse(answer).rows[0].count
  } finally {
    await query.close()
  }
}

const oldRowsAnswer = () =>
  eventually('the old rows to be in the answers', 60_000, async () => {
    const count = await countRows(namespace, positions)
    return count === EVENTS ? undefined : `${count} of ${EVENTS}`
  })

/** The note of the newest Event of this reason that names `thing`. */
const eventTells = (space: string, reason: string, thing: string) =>
  eventually(`Event ${reason} that names ${thing} in ${space}`, 30_000, async () => {
    const events = JSON.parse(
      await kubectl(cluster, ['-n', space, 'get', 'events.events.k8s.io', '-o', 'json']),
    )
    const notes: string[] = events.items
      .filter((event: { reason: string }) => event.reason === reason)
      .map(({ note }: { note: string }) => note)
    return notes.some((note) => note.includes(thing)) ? undefined : `told so far: ${notes.join(' | ')}`
  })

async function partitionsOf(...topics: string[]): Promise<number[]> {
  const broker = `kafka.${QUICKSTART.namespace}.svc:9092`
  const child = spawnInsideCluster(cluster, ['e2e/describe-topics.ts', broker, ...topics])
  return Object.values(JSON.parse(await text(child.stdout as NodeJS.ReadableStream)))
}

test('two clusters of one name share Kafka and PostgreSQL, and neither sees the other', async (t) => {
  t.diagnostic(`seed ${SEED}`)
  await create('Retain', 'scratch')
  await clusterReady()
  const gateway = await cluster.relay({ namespace, service: `${name}-gateway`, port: 8088 })
  const nowUs = Date.now() * 1_000
  const load = { seed: SEED, run: RUN, events: EVENTS, duplicateShare: 0.05, nowUs, spreadUs: 60_000_000 }
  const target = { namespace: 'production', table: 'events' }
  positions = (await postEvents(gateway.url, target, [...generateEvents(load)], 60_000)).positions
  await gateway.close()
  assert.equal(await countRows(namespace, positions), EVENTS)
  assert.equal(await countRows(QUICKSTART.namespace, {}), 0)
  assert.deepEqual(await partitionsOf(topic('events'), topic('scratch')), [8, 8])
})

test('a Table whose policy is Delete takes its topic with it, and only its own', async () => {
  await deleteInTime('table/scratch')
  await eventTells(namespace, 'DataDeleted', 'Topic and catalog entry are deleted')
  assert.deepEqual(await partitionsOf(topic('scratch'), topic('events')), [0, 8])
})

test('a Table whose policy is Retain leaves its topic; created again it finds its rows', async () => {
  await deleteInTime('table/events')
  await eventTells(namespace, 'DataRetained', `topic ${topic('events')} (8 partitions)`)
  assert.deepEqual(await partitionsOf(topic('events')), [8])
  await create('Retain')
  await oldRowsAnswer()
})

longTest(
  'a TrueNowCluster whose policy is Retain leaves topics, catalog and volumes; created again it finds them',
  async () => {
    await deleteInTime(`truenowcluster/${name}`, '--cascade=foreground')
    const label = `truenow.io/cluster=${name}`
    await here('wait', '--for=delete', 'pods', '-l', label, `--timeout=${END_S_MAX}s`)
    assert.equal(await here('get', `pvc/${volume}`, '-o', 'jsonpath={.status.phase}'), 'Bound')
    assert.deepEqual(await partitionsOf(topic('events')), [8])
    await create('Retain')
    await oldRowsAnswer()
    for (const thing of [topic('events'), volume, 'PostgreSQL schema '])
      await eventTells(namespace, 'DataRetained', thing)
  },
)

test('their namespace ends while no operator runs', async () => {
  await kubectl(cluster, [...OPERATOR, 'scale', 'deployment/truenow-operator', '--replicas=0'])
  const pods = ['pods', '-l', 'app.kubernetes.io/component=operator']
  await kubectl(cluster, [...OPERATOR, 'wait', '--for=delete', ...pods, '--timeout=60s'])
  await deleteInTime(`namespace/${namespace}`)
  await kubectl(cluster, [...OPERATOR, 'scale', 'deployment/truenow-operator', '--replicas=2'])
  await kubectl(cluster, [...OPERATOR, 'rollout', 'status', 'deployment/truenow-operator', '--timeout=60s'])
  assert.deepEqual(await partitionsOf(topic('events')), [8])
})

longTest(
  'the same identity in a namespace made anew adopts the log; with Delete, topics and volumes go with the cluster',
  async () => {
    await create('Delete')
    await oldRowsAnswer()
    await clusterReady()
    await deleteInTime(`truenowcluster/${name}`)
    await eventTells(namespace, 'DataDeleted', 'Topics, catalog and volumes are deleted')
    assert.deepEqual(await partitionsOf(topic('events')), [0])
    await here('wait', '--for=delete', `pvc/${volume}`, `--timeout=${END_S_MAX}s`)
  },
)

longTest('their namespace ends while the operator runs, which tells in its own what stays', async () => {
  const manifests = secondCluster({ namespace, tables: [{ object: 'events' }] })
  await kubectl(cluster, ['apply', '-f', '-'], manifests)
  await here('wait', '--for=condition=Synced', 'table/events', '--timeout=120s')
  await deleteInTime(`namespace/${namespace}`)
  await eventTells(OPERATOR_NAMESPACE, 'DataRetained', topic('events'))
})
