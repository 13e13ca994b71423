import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { clusterSpec, createScene, DEMO, NAMESPACE, tableSpec } from './scene.ts'

const EVENTS = { ...DEMO, name: 'events' }

async function running(policy: { cluster?: 'Retain' | 'Delete'; table?: 'Retain' | 'Delete' }) {
  const scene = createScene()
  scene.createCluster(clusterSpec({ deletionPolicy: policy.cluster ?? 'Retain' }))
  scene.createTable('events', tableSpec({ deletionPolicy: policy.table ?? 'Retain' }))
  const operator = scene.operator()
  await operator.settle()
  const volumes = () => scene.kubernetes.list('PersistentVolumeClaim').map(({ metadata }) => metadata.name)
  const told = (reason: string) => scene.events().filter((event) => event.reason === reason)
  const deletions = () => scene.plane.calls.filter(({ method }) => method.startsWith('delete'))
  const settleFor = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 2_000) {
      scene.advance(2_000)
      await operator.settle()
    }
  }
  return { ...scene, world: scene, operator, volumes, told, deletions, settleFor }
}

test('deletion: a cluster under Retain goes at once; the control plane is told, and an Event lists what stays', async () => {
  const { kubernetes, operator, plane, told, volumes, cluster, deletions, children } = await running({})
  assert.deepEqual(cluster()?.metadata.finalizers ?? [], [])
  kubernetes.delete('TrueNowCluster', DEMO)
  assert.equal(cluster(), undefined)
  await operator.settle()
  assert.deepEqual(
    deletions().map(({ method, policy }) => [method, policy]),
    [['deleteCluster', DeletionPolicy.RETAIN]],
  )
  assert.deepEqual([plane.state.clusterUid, plane.state.topics.size, plane.state.schema], ['', 1, true])
  assert.equal(volumes().length, 2)
  const [event] = told('DataRetained')
  for (const what of [
    'truenow.apps.demo.production.events',
    'truenow_apps_demo',
    'data-demo-hot-tier-0',
    'data-demo-hot-tier-1',
  ])
    assert.ok(event?.note.includes(what), what)
  assert.deepEqual([children(), operator.context.applied.size], [[], 0])
})

test('deletion: what was retained is adopted by the next object of that name', async () => {
  const { kubernetes, operator, plane, createCluster, cluster, table, settleFor } = await running({})
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  createCluster()
  await settleFor(12_000)
  assert.equal(plane.state.clusterUid, cluster()?.metadata.uid)
  assert.equal(table()?.status?.conditions?.[0]?.status, 'True')
})

test('deletion: people are told at once, and the name is freed by whichever control plane answers within a minute', async () => {
  const { kubernetes, operator, plane, told, createCluster, cluster, settleFor } = await running({})
  const old = plane.state.clusterUid
  plane.scene.away = true
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  assert.equal(told('DataRetained').length, 1)
  createCluster()
  await settleFor(20_000)
  assert.equal(plane.state.clusterUid, old)
  plane.scene.away = false
  await settleFor(6_000)
  assert.equal(plane.state.clusterUid, cluster()?.metadata.uid)
  assert.equal(told('DataRetained').length, 1)
})

test('deletion: a cluster under Delete takes topics, catalog and volumes with it, in that order', async () => {
  const { kubernetes, operator, plane, told, volumes, cluster } = await running({ cluster: 'Delete' })
  assert.deepEqual(cluster()?.metadata.finalizers, ['truenow.io/data'])
  const order: string[] = []
  plane.hooks.around = (call, work) => {
    order.push(call.method)
    return work()
  }
  kubernetes.hooks.around = ({ verb, kind }, work) => {
    if (verb === 'remove' || verb === 'mergePatch') order.push(`${verb} ${kind}`)
    return work()
  }
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  assert.deepEqual(
    [cluster(), plane.state.topics.size, plane.state.schema, volumes()],
    [undefined, 0, false, []],
  )
  assert.deepEqual(order, [
    'deleteCluster',
    'remove PersistentVolumeClaim',
    'remove PersistentVolumeClaim',
    'mergePatch TrueNowCluster',
  ])
  assert.deepEqual([told('DataDeleted').length, told('DataRetained').length], [1, 0])
  assert.equal(plane.calls.filter(({ method }) => method === 'forget').length, 1, 'connections are closed')
  assert.equal(operator.context.applied.size, 0)
})

test('deletion: volumes that merely carry the label are not the cluster’s', async () => {
  const { kubernetes, operator, volumes } = await running({ cluster: 'Delete' })
  const labels = { 'truenow.io/cluster': 'demo' }
  kubernetes.create({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...DEMO, name: 'kafka-0', labels },
  })
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  assert.deepEqual(volumes(), ['kafka-0'])
})

test('deletion: a policy that became Retain meanwhile is what counts', async () => {
  const { kubernetes, operator, plane, told, volumes, cluster, table, editSpec } = await running({
    cluster: 'Delete',
    table: 'Delete',
  })
  plane.scene.away = true
  kubernetes.delete('Table', EVENTS)
  kubernetes.delete('TrueNowCluster', DEMO)
  editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { deletionPolicy: 'Retain' }))
  editSpec('Table', 'events', (spec) => void Object.assign(spec, { deletionPolicy: 'Retain' }))
  plane.scene.away = false
  await operator.settle()
  assert.deepEqual([cluster(), table()], [undefined, undefined])
  assert.deepEqual([plane.state.topics.size, plane.state.schema, volumes().length], [1, true, 2])
  assert.equal(told('DataDeleted').length, 0)
  assert.ok(told('DataRetained').length >= 1)
})

test('deletion: a Table’s policy that became Retain meanwhile is what counts', async () => {
  const { kubernetes, operator, plane, table, editSpec } = await running({ table: 'Delete' })
  kubernetes.delete('Table', EVENTS)
  editSpec('Table', 'events', (spec) => void Object.assign(spec, { deletionPolicy: 'Retain' }))
  await operator.settle()
  assert.equal(table(), undefined)
  assert.deepEqual(
    [plane.state.tables.get('production.events')?.state, plane.state.topics.size],
    ['retained', 1],
  )
})

test('deletion: a catalog that is another object’s is left alone, and so are the volumes', async () => {
  const { kubernetes, operator, plane, told, volumes, cluster } = await running({ cluster: 'Delete' })
  plane.state.clusterUid = 'an-earlier-one'
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  assert.deepEqual([cluster(), plane.state.topics.size, volumes().length], [undefined, 1, 2])
  assert.deepEqual([told('DataDeleted').length, told('DataRetained').length], [0, 1])
})

test('deletion: a control plane that does not answer is waited for 60 s, not longer, and an Event says what stays', async () => {
  const { kubernetes, operator, plane, told, cluster, table, settleFor, volumes } = await running({
    cluster: 'Delete',
    table: 'Delete',
  })
  plane.scene.away = true
  kubernetes.delete('Table', EVENTS)
  await operator.settle()
  await settleFor(60_000)
  assert.notEqual(table(), undefined)
  await settleFor(4_000)
  assert.equal(table(), undefined)
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  await settleFor(60_000)
  assert.notEqual(cluster(), undefined)
  await settleFor(4_000)
  assert.equal(cluster(), undefined)
  assert.equal(volumes().length, 2)
  assert.deepEqual([told('DataRetained').length, told('DataDeleted').length], [2, 0])
  assert.ok(
    told('DataRetained').every(({ note }) => note.includes('within 60 s') && note.includes('did not answer')),
  )
})

test('deletion: a control plane that comes back in time is told', async () => {
  const { kubernetes, operator, plane, cluster, settleFor } = await running({ cluster: 'Delete' })
  plane.scene.away = true
  kubernetes.delete('TrueNowCluster', DEMO)
  await operator.settle()
  await settleFor(30_000)
  plane.scene.away = false
  await settleFor(4_000)
  assert.deepEqual([cluster(), plane.state.topics.size, plane.state.schema], [undefined, 0, false])
})

test('deletion: a Table under Retain frees its name and keeps its topic; under Delete its topic goes', async () => {
  for (const table of ['Retain', 'Delete'] as const) {
    const { kubernetes, operator, plane, told } = await running({ table })
    kubernetes.delete('Table', EVENTS)
    await operator.settle()
    assert.deepEqual(
      [
        kubernetes.find('Table', EVENTS),
        plane.state.tables.get('production.events')?.state,
        plane.state.topics.size,
      ],
      [undefined, table === 'Retain' ? 'retained' : undefined, table === 'Retain' ? 1 : 0],
    )
    assert.equal(told(table === 'Retain' ? 'DataRetained' : 'DataDeleted').length, 1)
  }
})

test('deletion: the finalizer stands exactly where the policy is Delete, and others’ stay', async () => {
  const { kubernetes, operator, editSpec, table } = await running({})
  const to = (deletionPolicy: string) =>
    editSpec('Table', 'events', (spec) => void Object.assign(spec, { deletionPolicy }))
  kubernetes.edit(
    'Table',
    EVENTS,
    (draft) => void Object.assign(draft.metadata as object, { finalizers: ['mine/too'] }),
  )
  await operator.settle()
  assert.deepEqual(table()?.metadata.finalizers, ['mine/too'])
  to('Delete')
  await operator.settle()
  assert.deepEqual(table()?.metadata.finalizers, ['mine/too', 'truenow.io/data'])
  to('Retain')
  await operator.settle()
  assert.deepEqual(table()?.metadata.finalizers, ['mine/too'])
  assert.deepEqual(operator.errors, [])
})

test('deletion: another operator’s cluster and tables are left to it', async () => {
  const { kubernetes, world, plane, table, cluster } = await running({ cluster: 'Delete', table: 'Delete' })
  const other = world.operator({ identity: 'green/operator' })
  kubernetes.delete('Table', EVENTS)
  const calls = plane.calls.length
  for (const key of [EVENTS, DEMO]) {
    if (key === DEMO) kubernetes.delete('TrueNowCluster', DEMO)
    await other.settle()
    world.advance(120_000)
    await other.settle()
    if (key === EVENTS) assert.notEqual(table(), undefined)
  }
  assert.notEqual(cluster(), undefined)
  assert.equal(plane.calls.length, calls)
})

for (const policy of ['Retain', 'Delete'] as const) {
  test(`deletion: a namespace that ends is not held up (${policy})`, async () => {
    const { kubernetes, operator, plane, cluster, table, settleFor, told, world } = await running({
      cluster: policy,
      table: policy,
    })
    world.scene.kubeletRuns = false
    plane.scene.away = true // Its pods go first.
    kubernetes.endNamespace(NAMESPACE)
    await operator.settle()
    await settleFor(64_000)
    assert.deepEqual([cluster(), table()], [undefined, undefined])
    const left = kubernetes
      .dump()
      .filter(({ kind, metadata }) => metadata.namespace === NAMESPACE && kind !== 'Event')
    assert.deepEqual(left, [])
    assert.equal(plane.state.topics.size, 1)
    const notes = told('DataRetained').map(({ note }) => note)
    assert.ok(
      notes.some((note) => note.includes('TrueNowCluster apps/demo')),
      'told where an Event can still be',
    )
  })
}
