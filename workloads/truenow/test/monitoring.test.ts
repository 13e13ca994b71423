import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import type { RunningRole } from '@truenow/chassis/running-role.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { operatorDashboard } from '@truenow/operator/monitoring/dashboards/operator-dashboard.ts'
import { clusterSelection, selectionOf } from '@truenow/operator/monitoring/selection.ts'
import { clusterDashboards } from '@truenow/operator/resources/dashboard-config-maps.ts'
import { clusterSpec, createScene, type Scene } from '../../../operator/test/scene.ts'
import { startInScene } from '../../../operator/test/start-in-scene.ts'
import { createDemoEvents } from '../src/demo-events.ts'
import { DEMO_TABLE } from '../src/demo-table.ts'
import { type Processes, startProcesses } from './start-processes.ts'
import { OPERATOR_LABELS, startWatching } from './start-watching.ts'

/*
 * A real Prometheus scrapes every role while they are well and while parts of them are ill: each as a process, over real Kafka,
 * PostgreSQL and Redis. `alertDelayPercent: 1` makes minutes of waiting a second; nothing else differs from a cluster's own rules.
 */
const FIRING_MS_MAX = 120_000
/** With the kept rows of a quiet minute far below, and what the sick part sends far above. */
const MEMORY_GB = '0.02'
const monitoring = {
  serviceMonitor: true,
  prometheusRule: true,
  dashboards: true,
  freshnessSeconds: 10,
  alertDelayPercent: 1,
}
/** What shows nothing while all is well, and why. */
const EMPTY_WHEN_WELL: ReadonlyArray<readonly [what: RegExp, why: string]> = [
  [/^overview: Errors answered a second/, 'nobody was answered with 5xx'],
  [/^hot-tier: Copies of slots/, 'no shard needs a copy'],
  [/^operator: Requests a second/, 'the API server of this test is in memory'],
  [/http_requests_total\{.*status=~"5\.\."/, 'nobody was answered with 5xx'],
  [/kubernetes_requests_total/, 'the API server of this test is in memory'],
  [/operator_passes_total\{.*outcome="failed"/, 'no pass has failed'],
  [
    /certificate_expiry_seconds/,
    'this cluster has no certificates; certificates.test.ts reads it of one that has',
  ],
]
const emptyWhenWell = (what: string) => EMPTY_WHEN_WELL.some(([pattern]) => pattern.test(what))

describe('monitoring of real roles by a real Prometheus', () => {
  let world: Processes
  let scene: Scene
  let operator: RunningRole
  let watching: Awaited<ReturnType<typeof startWatching>>
  const ending = new AbortController()
  const busy: Promise<void>[] = []
  const nextEvents = createDemoEvents(7)

  before(async () => {
    world = await startProcesses({
      HOT_TIER_MEMORY_GB: MEMORY_GB,
      TRUENOW_HOT_TIER_RESERVE_MB: '0',
      TRUENOW_WATERMARK_STALLED_MS: '2000',
    })
    scene = createScene()
    scene.createCluster(clusterSpec({ monitoring }))
    scene.createTable()
    operator = await startInScene(scene, { TRUENOW_OPERATOR_RESYNC_SECONDS: 1 })
    await whenTrue('the operator has made its cluster Ready', () => {
      scene.runKubelet()
      return scene.cluster()?.status?.phase === 'Ready'
    })
    const cluster = scene.cluster()
    assert.ok(cluster !== undefined)
    const targets = world.roles().map(({ role, name, http }) => ({ role, pod: name, http }))
    watching = await startWatching(cluster, targets, {
      role: 'operator',
      pod: 'operator-0',
      http: operator.httpAddress,
    })
    busy.push(keepDoing(100, sendSome), keepDoing(300, askOnce))
  })
  after(async () => {
    ending.abort()
    await Promise.all(busy)
    await watching?.stop()
    await operator?.close()
    await world?.close().catch(() => {}) // Parts of it are dead by now, which is what was tested.
  })

  const post = (table: string, count: number) =>
    fetch(`http://${world.gateway}/v1/namespaces/production/tables/${table}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(nextEvents(count, Date.now() * 1_000)),
      signal: AbortSignal.timeout(5_000),
    }).then(
      (response) => response.status,
      () => 0,
    )
  const sendSome = () => post('events', 50)
  const askOnce = () => {
    const nowUs = Date.now() * 1_000
    const range = { start_time: nowUs - 60_000_000, end_time: nowUs }
    const statement = { ...range, namespace: 'production', table: 'events', aggregate: 'count' }
    return fetch(`http://${world.query}/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(statement),
      signal: AbortSignal.timeout(5_000),
    }).then(
      (response) => response.text(),
      () => '',
    )
  }
  async function keepDoing(everyMs: number, once: () => Promise<unknown>): Promise<void> {
    while (!ending.signal.aborted) {
      await once()
      await delay(everyMs)
    }
  }
  const isFiring = async (alert: string, more: Readonly<Record<string, string>> = {}) =>
    (await watching.firing()).some(
      (labels) =>
        labels.alertname === alert && Object.entries(more).every(([name, value]) => labels[name] === value),
    )
  const fires = (alert: string, more: Readonly<Record<string, string>> = {}) =>
    whenTrue(
      `${alert} ${JSON.stringify(more)} fires`,
      () => isFiring(alert, more),
      async () => JSON.stringify(await watching.firing()),
    )

  test('while all is well every panel shows data, every rule is evaluated, and nothing fires', async () => {
    const dashboards = [
      ...clusterDashboards.map((build) => build(clusterSelection({ namespace: 'apps', name: 'demo' }))),
      operatorDashboard(selectionOf(OPERATOR_LABELS)),
    ]
    const queries = dashboards.flatMap(({ name, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap(({ title, queries: all }) =>
          all.map(({ expression }) => ({
            what: `${name}: ${title}`,
            expression: expression.replaceAll('$__rate_interval', '30s'),
          })),
        ),
      ),
    )
    assert.ok(queries.length > 40, `only ${queries.length} queries`)
    const empty = async () => {
      const shown = await Promise.all(
        queries.map(async ({ what, expression }) => ({
          what: `${what}: ${expression}`,
          count: (await watching.query(expression)).length,
        })),
      )
      return shown.filter(({ count }) => count === 0).map(({ what }) => what)
    }
    await whenTrue(
      'every panel has data',
      async () => (await empty()).every(emptyWhenWell),
      async () => (await empty()).filter((what) => !emptyWhenWell(what)).join('\n'),
    )

    const rules = await watching.rules()
    assert.ok(rules.length >= 24, `only ${rules.length} rules`)
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`),
      [],
    )
    // Nothing fires, and not because nothing is looked at: each series that a rule reads is there.
    const read = new Set(rules.flatMap(({ query }) => query.match(/[a-z_]+\{[^}]*\}/g) ?? []))
    const unread: string[] = []
    for (const series of read)
      if ((await watching.query(series)).length === 0 && !emptyWhenWell(series)) unread.push(series)
    assert.deepEqual(unread, [])
    await delay(5_000)
    assert.deepEqual(await watching.firing(), [])
  })

  test('Redis away: TrueNowRedisAway', async () => {
    world.outside.redis.kill('SIGKILL')
    await fires('TrueNowRedisAway')
  })

  test('a shard gone: TrueNowPodDown, TrueNowUnderReplicated', async () => {
    await world.kill('hot-tier-1')
    await fires('TrueNowPodDown', { job: 'hot-tier', pod: 'hot-tier-1' })
    await fires('TrueNowUnderReplicated')
  })

  test('memory full: TrueNowMemoryEvicting, and TrueNowSlotStalled by its reason where nothing may leave', async () => {
    const client = createGrpcClient(Catalog, world.controlPlane)
    const precious = { ...DEMO_TABLE, name: 'precious', slots: 1, onMemoryFull: 'Stall' }
    await client.putTable({ generation: 1n, definitionJson: JSON.stringify(precious) })
    client.close()
    await whenTrue('the gateway knows the table', async () => (await post('precious', 1)) === 200)
    const filling = new AbortController()
    const fill = async () => {
      while (!filling.signal.aborted) await Promise.all([post('precious', 1_000), post('precious', 1_000)])
    }
    const filled = fill()
    try {
      await fires('TrueNowMemoryEvicting', { pod: 'hot-tier-0' })
      await fires('TrueNowSlotStalled', { reason: 'MemoryFull' })
    } finally {
      filling.abort()
      await filled
    }
  })

  test('PostgreSQL away: TrueNowPostgresAway', async () => {
    world.outside.postgres.kill('SIGKILL')
    await fires('TrueNowPostgresAway')
  })

  test('ingesters gone: TrueNowTableStale names the table', async () => {
    await Promise.all(['ingester-0', 'ingester-1'].map(world.kill))
    await fires('TrueNowTableStale', { exported_namespace: 'production', table: 'events' })
  })

  test('Kafka away: TrueNowKafkaAway, TrueNowGatewayRefusing', async () => {
    world.outside.kafka.kill('SIGKILL')
    await fires('TrueNowKafkaAway', { job: 'gateway' })
    await fires('TrueNowGatewayRefusing')
  })

  test('the last shard gone: TrueNowQueriesPartial, TrueNowFreshnessUnknown', async () => {
    await world.kill('hot-tier-0')
    await fires('TrueNowQueriesPartial')
    await fires('TrueNowFreshnessUnknown')
  })

  test('no operator: TrueNowOperatorNoLeader', async () => {
    await operator.close()
    await fires('TrueNowOperatorNoLeader')
  })
})

async function whenTrue(
  what: string,
  holds: () => boolean | Promise<boolean>,
  instead: () => Promise<string> = async () => '',
): Promise<void> {
  const deadline = performance.now() + FIRING_MS_MAX
  while (!(await holds())) {
    if (performance.now() > deadline)
      assert.fail(`not within ${FIRING_MS_MAX} ms: ${what}\n${await instead()}`)
    await delay(200)
  }
}
