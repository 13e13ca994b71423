import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { Rebalancer } from '@truenow/contracts/gen/truenow/v1/rebalancer_pb.ts'
import { clusterSpec, createScene, DEMO, hotTier, type Scene } from './scene.ts'
import { startInScene } from './start-in-scene.ts'

const WAIT_MS_MAX = 20_000
const holderOf = (scene: Scene) => {
  const lease = scene.kubernetes.find('Lease', { namespace: 'truenow', name: 'operator' })
  return (lease?.spec as { holderIdentity?: string } | undefined)?.holderIdentity
}

async function start(scene: Scene) {
  const lines: string[] = []
  const gaveUp: string[] = []
  const role = await startInScene(
    scene,
    {},
    { onLine: (line) => lines.push(line), giveUp: () => gaveUp.push('gave up') },
  )
  const isReady = async () => (await fetch(`http://${role.httpAddress}/readyz`)).ok
  return { ...role, lines, gaveUp, isReady }
}

async function until(what: string, met: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + WAIT_MS_MAX
  while (!(await met())) {
    assert.ok(performance.now() < endMs, `not within ${WAIT_MS_MAX} ms: ${what}`)
    await delay(10)
  }
}

test('startOperator: from an empty process to a cluster that is Ready, and a clean end that frees the Lease', async () => {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  const operator = await start(scene)
  try {
    await until('Ready', () => {
      scene.runKubelet()
      return scene.cluster()?.status?.phase === 'Ready' && scene.table()?.status?.slotsReady === '4/4'
    })
    assert.ok(await operator.isReady())
    const rebalancer = createGrpcClient(Rebalancer, operator.grpcAddress)
    const { placement } = await rebalancer.getPlacement({ kubernetesNamespace: 'apps', cluster: 'demo' })
    assert.equal(placement?.catalog?.tables.length, 1)
    const unknown = rebalancer.getPlacement({ kubernetesNamespace: 'apps', cluster: 'none' })
    await assert.rejects(
      unknown,
      (error) => error instanceof TrueNowError && error.code === 'TN_REQUEST_INVALID',
    )
    rebalancer.close()
    // A change comes in by the watches alone.
    scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { gateway: { replicas: 3 } }))
    await until('three gateways', () => {
      const gateway = scene.kubernetes.find('Deployment', { ...DEMO, name: 'demo-gateway' })
      return (gateway?.spec as { replicas: number } | undefined)?.replicas === 3
    })
  } finally {
    await operator.close()
  }
  assert.equal(holderOf(scene) ?? '', '')
  assert.deepEqual(operator.gaveUp, [])
  assert.deepEqual(
    operator.lines.filter((line) => line.includes('"ERROR"')),
    [],
  )
})

test('startOperator: what watches a cluster is followed from when it is asked for on, also if it is installed later', async () => {
  const scene = createScene()
  scene.createCluster()
  const operator = await start(scene)
  const { kubernetes } = scene
  const monitor = { ...DEMO, name: 'demo-monitoring' }
  const watched = (kind: string) =>
    kubernetes.calls.some((call) => call.verb === 'list' && call.kind === kind)
  try {
    await untilReady(scene)
    assert.equal(watched('ServiceMonitor') || watched('ConfigMap'), false)
    kubernetes.served.set('monitoring.coreos.com/v1', ['servicemonitors', 'prometheusrules'])
    const monitoring = { serviceMonitor: true, prometheusRule: false, dashboards: true }
    scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { monitoring }))
    await until('they are there', () => kubernetes.find('ServiceMonitor', monitor) !== undefined)
    const made = kubernetes.find('ServiceMonitor', monitor)?.spec
    kubernetes.edit(
      'ServiceMonitor',
      monitor,
      (draft) => void Object.assign(draft, { spec: { endpoints: [] } }),
    )
    await until('it is put back', () =>
      isDeepStrictEqual(kubernetes.find('ServiceMonitor', monitor)?.spec, made),
    )
    scene.editSpec(
      'TrueNowCluster',
      'demo',
      (spec) => void Object.assign(spec, { monitoring: { ...monitoring, serviceMonitor: false } }),
    )
    await until('it is removed', () => kubernetes.find('ServiceMonitor', monitor) === undefined)
    assert.equal(kubernetes.list('ConfigMap').length, 3)
  } finally {
    await operator.close()
  }
})

test('startOperator: nothing is done before every first list is whole: what is missing there is not gone', async () => {
  const scene = createScene()
  scene.createCluster(clusterSpec())
  scene.createTable()
  await scene.operator({ identity: 'truenow/operator' }).settle()
  const before = { writes: scene.kubernetes.writes(), calls: scene.plane.calls.length }
  const slow = Promise.withResolvers<void>()
  const { port } = scene.kubernetes
  const held = {
    ...port,
    list: (async (resource, options) => {
      if (resource.kind === 'Table' || resource.kind === 'StatefulSet') await slow.promise
      return port.list(resource, options)
    }) as typeof port.list,
  }
  const operator = await start({ ...scene, kubernetes: { ...scene.kubernetes, port: held } })
  try {
    await until(
      'it leads',
      () => scene.kubernetes.find('Lease', { namespace: 'truenow', name: 'operator' }) !== undefined,
    )
    scene.kubernetes.edit(
      'TrueNowCluster',
      DEMO,
      (draft) => void Object.assign(draft.metadata as object, { labels: { a: 'b' } }),
    )
    await delay(200)
    const lease = scene.kubernetes.calls.filter(
      ({ verb, kind }) => kind === 'Lease' && (verb === 'create' || verb === 'replace'),
    )
    assert.equal(scene.kubernetes.writes() - lease.length, before.writes)
    assert.equal(scene.plane.calls.length, before.calls)
    assert.equal(await operator.isReady(), false)
    slow.resolve()
    await until('it works', () => scene.plane.calls.length > before.calls)
    assert.equal(scene.plane.state.tables.get('production.events')?.state, 'live')
  } finally {
    slow.resolve()
    await operator.close()
  }
})

test('startOperator: closed while it is a follower, or before it has seen anything, it just ends', async () => {
  const scene = createScene()
  const leader = await start(scene)
  const follower = await start(scene)
  await until('both are ready', async () => (await leader.isReady()) && (await follower.isReady()))
  await follower.close()
  await leader.close()
  const { port } = scene.kubernetes
  const list = (_resource: unknown, { signal }: Parameters<typeof port.list>[1]) =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const never = { ...port, list: list as typeof port.list }
  const blind = await start({ ...scene, kubernetes: { ...scene.kubernetes, port: never } })
  await blind.close()
  assert.deepEqual([...leader.gaveUp, ...follower.gaveUp, ...blind.gaveUp], [])
})

test('startOperator: a Lease that another took ends the process, and nothing is written after', async () => {
  const scene = createScene()
  scene.createCluster()
  const operator = await start(scene)
  try {
    await until('it leads', () => scene.cluster()?.status?.operator !== undefined)
    scene.kubernetes.edit('Lease', { namespace: 'truenow', name: 'operator' }, (draft) => {
      Object.assign(draft.spec as object, { holderIdentity: 'somebody', leaseTransitions: 9 })
    })
    await until('it gives up', () => operator.gaveUp.length > 0)
    const writes = scene.kubernetes.writes()
    scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { gateway: { replicas: 3 } }))
    await delay(200)
    assert.equal(scene.kubernetes.writes(), writes)
  } finally {
    await operator.close()
  }
  assert.equal(holderOf(scene), 'somebody')
})

test('startOperator: whose command meets a newer leader of its Lease ends, though it was never told of the loss', async () => {
  const scene = createScene()
  scene.createCluster()
  const operator = await startInScene(
    scene,
    { TRUENOW_OPERATOR_RESYNC_SECONDS: 1 },
    { giveUp: () => gaveUp.push('gave up') },
  )
  const gaveUp: string[] = []
  try {
    await until('it commands', () => scene.plane.state.clusterUid !== '')
    const leader = scene.plane.moves.leader
    assert.ok(leader !== undefined && gaveUp.length === 0)
    scene.plane.moves.leader = { ...leader, transitions: 9, holder: 'somebody', epoch: leader.epoch + 1 }
    await until('it gives up', () => gaveUp.length > 0)
  } finally {
    await operator.close()
  }
})

/** Three shards and a table that stands on two of them. */
function createUnevenScene(): Scene {
  const scene = createScene()
  scene.createCluster(clusterSpec({ hotTier: hotTier(3) }))
  scene.createTable()
  return scene
}

const untilReady = (scene: Scene) =>
  until('Ready', () => {
    scene.runKubelet()
    return scene.cluster()?.status?.phase === 'Ready'
  })

test('the rebalancer API: plan, approve and watch to the end, over gRPC and through the operator’s own loop', async () => {
  const scene = createUnevenScene()
  const operator = await start(scene)
  const rebalancer = createGrpcClient(Rebalancer, operator.grpcAddress)
  try {
    await untilReady(scene)
    const at = { kubernetesNamespace: 'apps', name: 'even' }
    const invalid = (error: unknown) => error instanceof TrueNowError && error.code === 'TN_REQUEST_INVALID'
    await assert.rejects(rebalancer.approveRebalance(at), invalid)
    await assert.rejects(rebalancer.planRebalance({ ...at, cluster: 'none' }), invalid)
    assert.equal((await rebalancer.planRebalance({ ...at, cluster: 'demo' })).state, 'PendingProposal')
    await rebalancer.planRebalance({ ...at, cluster: 'demo' })
    const states: string[] = []
    const stop = new AbortController()
    for await (const { state, moveCount, movesEnded, moves } of rebalancer.watchRebalance(at, stop)) {
      if (state !== states.at(-1)) states.push(state)
      if (state === 'ProposalReady') {
        assert.deepEqual([moveCount, moves.length], [2, 2])
        await rebalancer.approveRebalance(at)
      }
      if (state !== 'Ready') continue
      assert.equal(movesEnded, 2)
      stop.abort()
    }
    assert.deepEqual(
      states.filter((state) => state !== 'PendingProposal'),
      ['ProposalReady', 'Rebalancing', 'Ready'],
    )
  } finally {
    rebalancer.close()
    await operator.close()
  }
})

test('the rebalancer API over HTTP: the same, in JSON, and refusals with a status', async () => {
  const scene = createUnevenScene()
  const operator = await start(scene)
  const url = `http://${operator.httpAddress}/v1/namespaces/apps/rebalances/even`
  const plan = (cluster: string) =>
    fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ cluster }),
    })
  try {
    await untilReady(scene)
    assert.equal((await fetch(`${url}/approve`, { method: 'POST' })).status, 400)
    assert.equal((await fetch(url)).status, 400)
    assert.equal((await plan('none')).status, 400)
    assert.equal((await plan('No Name')).status, 400)
    assert.equal(((await (await plan('demo')).json()) as { state: string }).state, 'PendingProposal')
    const watch = await fetch(`${url}?watch=true`)
    assert.equal(watch.headers.get('content-type'), 'application/x-ndjson; charset=utf-8')
    assert.ok(watch.body !== null)
    const states: string[] = []
    const body = Readable.fromWeb(watch.body)
    for await (const line of createInterface({ input: body })) {
      const { state, moves, move_count, moves_ended } = JSON.parse(line)
      if (state !== states.at(-1)) states.push(state)
      if (state === 'ProposalReady') {
        assert.deepEqual([moves.length, move_count], [2, 2])
        assert.equal((await fetch(`${url}/approve`, { method: 'POST' })).status, 200)
      }
      if (state !== 'Ready') continue
      assert.equal(moves_ended, 2)
      break
    }
    assert.deepEqual(
      states.filter((state) => state !== 'PendingProposal'),
      ['ProposalReady', 'Rebalancing', 'Ready'],
    )
    assert.equal(((await (await fetch(url)).json()) as { state: string }).state, 'Ready')
    const closedMs = performance.now()
    await operator.close()
    assert.ok(performance.now() - closedMs < 5_000, 'the close waits for no watcher')
    body.destroy()
  } finally {
    await operator.close()
  }
})
