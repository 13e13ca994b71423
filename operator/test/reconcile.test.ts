import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { reconcileCluster } from '../src/reconcile-cluster.ts'
import { reconcileTable } from '../src/reconcile-table.ts'
import { clusterSpec, createScene, DEMO, NAMESPACE, type Operator, type Scene, tableSpec } from './scene.ts'

const conditionsOf = (
  object:
    | { status?: { conditions?: readonly { type: string; status: string; reason: string }[] } }
    | undefined,
) =>
  Object.fromEntries(
    (object?.status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  )
/** Everything but what counts versions and times. */
const stateOf = (scene: Scene) =>
  scene.kubernetes
    .dump()
    .filter(({ kind }) => kind !== 'Event')
    .map(({ metadata, ...rest }) => {
      const { resourceVersion: _r, generation: _g, uid: _u, ...meta } = metadata
      const text = JSON.stringify({ ...rest, metadata: meta }).replaceAll(/"observedGeneration":\d+,?/g, '')
      return JSON.parse(
        text.replaceAll(/"lastTransitionTime":"[^"]*"/g, '"lastTransitionTime":""').replaceAll(',}', '}'),
      )
    })

async function ready(more = {}) {
  const scene = createScene()
  scene.createCluster(clusterSpec(more))
  scene.createTable()
  const operator = scene.operator()
  await operator.settle()
  return { ...scene, operator, scene }
}

test('reconcile: a cluster and its table become Ready, and everything is there', async () => {
  const { cluster, table, children, plane, events } = await ready()
  assert.deepEqual(conditionsOf(cluster()), {
    Ready: 'True AllServing',
    SpecValid: 'True Valid',
    Synced: 'True AsSpecified',
    OperandReachable: 'True Answering',
    KafkaReachable: 'True Answering',
    Available: 'True EverySlotServed',
    UpgradeBlocked: 'False NothingWaits',
  })
  const {
    phase,
    ready: pods,
    shards,
    freshness,
    image,
    operator,
    observedGeneration,
  } = cluster()?.status ?? {}
  assert.deepEqual(
    { phase, pods, shards, freshness, image, operator, observedGeneration },
    {
      phase: 'Ready',
      pods: '10/10',
      shards: '2/2',
      freshness: '<1s',
      image: 'truenow:1',
      operator: 'truenow/operator',
      observedGeneration: 1,
    },
  )
  assert.deepEqual(conditionsOf(table()), {
    Ready: 'True AllServing',
    SpecValid: 'True Valid',
    Synced: 'True AsSpecified',
  })
  assert.equal(table()?.status?.slotsReady, '4/4')
  assert.equal(children().length, 6 * 3 + 4 + 6)
  assert.deepEqual([...plane.state.topics], ['truenow.apps.demo.production.events'])
  assert.ok(events().some(({ reason, note }) => reason === 'AllServing' && note.startsWith('Ready is True')))
})

test('reconcile: nothing is written while everything rests, whoever looks', async () => {
  const { operator, kubernetes, scene } = await ready()
  const before = { writes: kubernetes.writes(), calls: kubernetes.calls.length }
  for (let pass = 0; pass < 20; pass++) {
    scene.advance(10_000)
    operator.addAll()
    await operator.settle()
  }
  assert.deepEqual({ writes: kubernetes.writes(), calls: kubernetes.calls.length }, before)
  assert.equal(operator.errors.length, 0)
})

test('reconcile: a new operator with a newer image changes no template and writes no Event', async () => {
  const { scene, events, children } = await ready()
  const [before, told] = [children(), events().length]
  const next = scene.operator({ image: 'truenow:2' })
  await next.settle()
  assert.deepEqual(children(), before)
  assert.equal(events().length, told)
})

test('reconcile: the same holds where the set of shards was deleted while no operator ran', async () => {
  const { scene, kubernetes } = await ready()
  kubernetes.delete('StatefulSet', { ...DEMO, name: 'demo-hot-tier' })
  await scene.operator({ image: 'truenow:2' }).settle()
  const images = ['StatefulSet', 'Deployment']
    .flatMap((kind) => kubernetes.list(kind))
    .map((one) => JSON.stringify(one).match(/"image":"([^"]*)"/)?.[1])
  assert.deepEqual(new Set(images), new Set(['truenow:1']))
})

test("reconcile: spec → spec' → spec returns to the same state", async () => {
  const spec = clusterSpec()
  const others = {
    replicas: {
      ...spec,
      gateway: { replicas: 3 },
      query: { replicas: 1, cacheTtlSeconds: 5 },
      watermark: { replicas: 2 },
    },
    image: { ...spec, image: 'truenow:3' },
    podTemplate: { ...spec, podTemplate: { nodeSelector: { disk: 'fast' }, priorityClassName: 'high' } },
    policy: { ...spec, deletionPolicy: 'Delete' },
    redis: { ...spec, redis: { urlSecretRef: { name: 'demo-redis', key: 'url' } } },
  }
  for (const [what, other] of Object.entries(others)) {
    const scene = createScene()
    scene.createCluster(clusterSpec({ image: 'truenow:1' }))
    scene.createTable()
    const operator = scene.operator()
    await operator.settle()
    const before = stateOf(scene)
    const to = (next: object) =>
      scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => void Object.assign(draft, { spec: next }))
    to({ image: 'truenow:1', ...other })
    await operator.settle()
    assert.notDeepEqual(stateOf(scene), before, `${what}: the change does something`)
    to(clusterSpec({ image: 'truenow:1' }))
    await operator.settle()
    const byName = (state: ReturnType<typeof stateOf>) =>
      new Map(state.map((one) => [`${one.kind}/${one.metadata.name}`, one]))
    const [left, right] = [byName(stateOf(scene)), byName(before)]
    assert.deepEqual([...left.keys()].toSorted(), [...right.keys()].toSorted(), what)
    for (const [name, one] of right) assert.deepEqual(left.get(name), one, `${what}: ${name}`)
  }
})

test('reconcile: a flip that the caches have not followed is no hand edit', async () => {
  const { operator, scene, events, kubernetes } = await ready()
  const to = (replicas: number) =>
    scene.editSpec(
      'TrueNowCluster',
      'demo',
      (spec) => void Object.assign(spec, { query: { replicas, cacheTtlSeconds: 60 } }),
    )
  const query = () => kubernetes.find('Deployment', { ...DEMO, name: 'demo-query' })
  const passSeeing = async (held: unknown) => {
    operator.sync()
    const child: typeof operator.context.child = (kind, key) =>
      key.name === 'demo-query' && kind === 'Deployment' ? (held as never) : operator.context.child(kind, key)
    await reconcileCluster({ ...operator.context, child }, DEMO, 10_000)
  }
  const before = query()
  to(3)
  await passSeeing(before)
  const between = query()
  to(2)
  await passSeeing(before)
  // The cache catches up version by version; the first of them looks just like the last.
  for (const held of [before, between, query()]) await passSeeing(held)
  await operator.settle()
  assert.equal(events().filter(({ reason }) => reason === 'ChildPutBack').length, 0)
})

test('reconcile: a cluster is not called Ready for a spec whose workloads the cache has not shown yet', async () => {
  const { operator, scene, cluster } = await ready()
  scene.editSpec(
    'TrueNowCluster',
    'demo',
    (spec) => void Object.assign(spec, { query: { replicas: 3, cacheTtlSeconds: 60 } }),
  )
  operator.sync()
  await operator.work()
  assert.equal(conditionsOf(cluster()).Ready, 'False Applying')
  assert.equal(cluster()?.status?.conditions?.[0]?.observedGeneration, 2)
  await operator.settle()
  assert.equal(conditionsOf(cluster()).Ready, 'True AllServing')
})

test('reconcile: what an autoscaler scales keeps its number of pods, within bounds; without one the spec’s is back', async () => {
  const { operator, scene, kubernetes, events } = await ready()
  const to = (gateway: object) =>
    scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { gateway }))
  const at = { ...DEMO, name: 'demo-gateway' }
  const pods = () => (kubernetes.find('Deployment', at)?.spec as { replicas: number } | undefined)?.replicas
  const scale = (replicas: number) =>
    kubernetes.edit(
      'Deployment',
      at,
      (draft) => void Object.assign(draft.spec as object, { replicas }),
      'horizontal-pod-autoscaler',
    )
  to({ replicas: 2, autoscaling: { maxReplicas: 6 } })
  await operator.settle()
  const spec = kubernetes.find('HorizontalPodAutoscaler', at)?.spec
  assert.deepEqual(spec, {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'demo-gateway' },
    minReplicas: 2,
    maxReplicas: 6,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
      },
    ],
  })
  assert.equal(pods(), 2)
  scale(5)
  await operator.settle()
  assert.equal(pods(), 5)
  await scene.operator({ image: 'truenow:2' }).settle()
  assert.equal(pods(), 5, 'another leader leaves it too')
  to({ replicas: 2, autoscaling: { maxReplicas: 4, podMetric: { name: 'events', averageValue: '50k' } } })
  await operator.settle()
  assert.equal(pods(), 4)
  to({ replicas: 2 })
  await operator.settle()
  assert.equal(kubernetes.find('HorizontalPodAutoscaler', at), undefined)
  assert.equal(pods(), 2)
  assert.equal(events().filter(({ reason }) => reason === 'ChildPutBack').length, 0)
})

const edits: ReadonlyArray<
  [what: string, kind: string, name: string, change: (draft: Record<string, unknown>) => void]
> = [
  [
    'fewer replicas',
    'Deployment',
    'demo-query',
    (draft) => void Object.assign(draft.spec as object, { replicas: 1 }),
  ],
  [
    'a lowered set of shards',
    'StatefulSet',
    'demo-hot-tier',
    (draft) => void Object.assign(draft.spec as object, { replicas: 1 }),
  ],
  [
    'an opened policy',
    'NetworkPolicy',
    'demo-hot-tier',
    (draft) => void Object.assign(draft.spec as object, { ingress: [{}] }),
  ],
  [
    'another selector',
    'Service',
    'demo-gateway',
    (draft) => void Object.assign(draft.spec as object, { selector: { app: 'mine' } }),
  ],
  [
    'one key more in a selector',
    'Service',
    'demo-query',
    (draft) => void Object.assign((draft.spec as { selector: object }).selector, { app: 'mine' }),
  ],
  [
    'a peer that was widened',
    'NetworkPolicy',
    'demo-control-plane',
    (draft) => {
      const { ingress } = draft.spec as { ingress: { from: object[] }[] }
      Object.assign(ingress[0]?.from[0] as object, { namespaceSelector: {} })
    },
  ],
  [
    'a removed owner',
    'Deployment',
    'demo-gateway',
    (draft) => void Object.assign(draft.metadata as object, { ownerReferences: [] }),
  ],
  [
    'a lost label',
    'Service',
    'demo-query',
    (draft) =>
      void delete (draft.metadata as { labels: Record<string, string> }).labels['truenow.io/cluster'],
  ],
  [
    'another cluster’s label',
    'Service',
    'demo-query',
    (draft) =>
      void Object.assign((draft.metadata as { labels: object }).labels, { 'truenow.io/cluster': 'other' }),
  ],
]
for (const [what, kind, name, change] of edits) {
  test(`reconcile: a hand edit is put back, with one Event: ${what}`, async () => {
    const { operator, kubernetes, events, scene } = await ready()
    const key = { namespace: NAMESPACE, name }
    const strip = (object: unknown) =>
      JSON.parse(
        JSON.stringify(object, (field, value) =>
          ['resourceVersion', 'generation', 'observedGeneration'].includes(field) ? undefined : value,
        ),
      )
    const before = strip(kubernetes.find(kind, key))
    kubernetes.edit(kind, key, change)
    scene.advance(10_000)
    await operator.settle()
    assert.deepEqual(strip(kubernetes.find(kind, key)), before)
    const writes = kubernetes.writes()
    scene.advance(30_000)
    operator.addAll()
    await operator.settle()
    assert.equal(kubernetes.writes(), writes)
    const told = events().filter(({ reason }) => reason === 'ChildPutBack')
    assert.deepEqual([told.length, told[0]?.note.includes(`${kind} ${name}`)], [1, true])
  })
}

test('reconcile: every child that is deleted by hand comes back, with one Event each', async () => {
  const { operator, kubernetes, children, events } = await ready()
  const all = children().map(({ kind, metadata }) => `${kind}/${metadata.name}`)
  for (const { kind, metadata } of children()) kubernetes.delete(kind, metadata)
  await operator.settle()
  assert.deepEqual(
    children()
      .map(({ kind, metadata }) => `${kind}/${metadata.name}`)
      .toSorted(),
    all.toSorted(),
  )
  assert.equal(events().filter(({ reason }) => reason === 'ChildPutBack').length, all.length)
})

test('reconcile: what others add beside our fields stays, and costs nothing', async () => {
  const { operator, kubernetes, events } = await ready()
  const key = { ...DEMO, name: 'demo-query' }
  kubernetes.edit('Deployment', key, ({ metadata }) => {
    const { annotations } = metadata as { annotations?: object }
    Object.assign(metadata as object, { annotations: { ...annotations, team: 'blue' } })
  })
  const writes = kubernetes.writes()
  await operator.settle()
  assert.equal(kubernetes.writes(), writes)
  assert.equal(kubernetes.find('Deployment', key)?.metadata.annotations?.team, 'blue')
  assert.equal(events().filter(({ reason }) => reason === 'ChildPutBack').length, 0)
})

test('reconcile: an object of that name that is somebody’s own is never taken over', async () => {
  const scene = createScene()
  const mine = { selector: { app: 'mine' }, ports: [{ port: 80 }] }
  scene.kubernetes.create({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...DEMO, name: 'demo-query' },
    spec: mine,
  })
  scene.createCluster()
  const operator = scene.operator()
  await operator.settle()
  const held = scene.kubernetes.find('Service', { ...DEMO, name: 'demo-query' })
  assert.deepEqual(
    [held?.spec, held?.metadata.labels, held?.metadata.ownerReferences],
    [mine, undefined, undefined],
  )
  assert.equal(conditionsOf(scene.cluster()).Synced, 'False NameTaken')
  const synced = scene.cluster()?.status?.conditions?.find(({ type }) => type === 'Synced')
  assert.match(synced?.message ?? '', /Service demo-query is there/)
  scene.kubernetes.delete('Service', { ...DEMO, name: 'demo-query' })
  scene.advance(10_000)
  await operator.settle()
  assert.equal(conditionsOf(scene.cluster()).Ready, 'True AllServing')
})

test('reconcile: old caches cause no Event and no other write than the same again', async () => {
  const { operator, kubernetes, children, events, scene } = await ready()
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { gateway: { replicas: 4 } }))
  operator.sync()
  await operator.work()
  const [after, told] = [children(), events().length]
  for (let pass = 0; pass < 5; pass++) {
    scene.advance(1_000)
    operator.addAll()
    await operator.work() // Without sync: the caches show what was before.
  }
  assert.deepEqual(children(), after)
  assert.equal(events().length, told)
  assert.deepEqual(operator.errors, [])
  await operator.settle()
  assert.equal(kubernetes.find('Deployment', { ...DEMO, name: 'demo-gateway' })?.metadata.generation, 2)
})

const badClusters: ReadonlyArray<[what: string, spec: object, said: RegExp]> = [
  [
    'more replicas than shards',
    { hotTier: { shards: 1, replicationFactor: 2, memoryPerShard: '1Gi', storage: { size: '2Gi' } } },
    /replicationFactor is above shards/,
  ],
  [
    'no quantity',
    { hotTier: { shards: 2, replicationFactor: 2, memoryPerShard: 'much', storage: { size: '2Gi' } } },
    /no quantity of bytes/,
  ],
  ['a broker without port', { kafka: { brokers: ['kafka'] } }, /brokers\[0\] has no port/],
]
for (const [what, spec, said] of badClusters) {
  test(`reconcile: a spec that cannot be is said and not acted on: ${what}`, async () => {
    const scene = createScene()
    scene.createCluster(clusterSpec(spec))
    const operator = scene.operator()
    await operator.settle()
    assert.equal(scene.children().length, 0)
    assert.deepEqual(scene.plane.calls, [])
    assert.equal(scene.cluster()?.status?.phase, 'Invalid')
    assert.deepEqual(
      [conditionsOf(scene.cluster()).SpecValid, conditionsOf(scene.cluster()).Synced],
      ['False InvalidSpec', 'Unknown NotReached'],
    )
    assert.match(scene.cluster()?.status?.conditions?.[0]?.message ?? '', said)
    assert.deepEqual([...operator.due.keys()], [], 'only the user can help')
    scene.kubernetes.edit(
      'TrueNowCluster',
      DEMO,
      (draft) => void Object.assign(draft, { spec: clusterSpec() }),
    )
    await operator.settle()
    assert.equal(conditionsOf(scene.cluster()).Ready, 'True AllServing')
  })
}

test('reconcile: a spec that became impossible changes nothing of what runs', async () => {
  const { operator, scene, children, plane } = await ready()
  const [before, calls] = [children(), plane.calls.length]
  scene.editSpec(
    'TrueNowCluster',
    'demo',
    (spec) => void Object.assign(spec, { kafka: { brokers: ['kafka'] }, gateway: { replicas: 9 } }),
  )
  await operator.settle()
  assert.deepEqual(children(), before)
  assert.equal(plane.calls.slice(calls).filter(({ method }) => method === 'putCluster').length, 0)
})

test('reconcile: of two Tables that mean one table the older holds it, and the other has it once that is gone', async () => {
  const { operator, scene, table, plane } = await ready()
  scene.advance(5_000)
  scene.createTable('twin', tableSpec({ name: 'events' }))
  await operator.settle()
  assert.equal(conditionsOf(table('twin')).SpecValid, 'False NameTaken')
  assert.equal(conditionsOf(table()).Ready, 'True AllServing')
  assert.equal(plane.state.tables.get('production.events')?.uid, table()?.metadata.uid)
  scene.kubernetes.delete('Table', { ...DEMO, name: 'events' })
  for (let pass = 0; pass < 3; pass++) {
    scene.advance(10_000)
    await operator.settle()
  }
  assert.equal(conditionsOf(table('twin')).Ready, 'True AllServing')
  assert.equal(plane.state.tables.get('production.events')?.uid, table('twin')?.metadata.uid)
})

test('reconcile: a paused cluster is told of and not changed', async () => {
  const { operator, scene, children, cluster, table, plane } = await ready()
  const [before, calls] = [children(), plane.calls.length]
  scene.editSpec(
    'TrueNowCluster',
    'demo',
    (spec) => void Object.assign(spec, { paused: true, gateway: { replicas: 5 } }),
  )
  await operator.settle()
  scene.editSpec('Table', 'events', (spec) => void Object.assign(spec, { retention: '2h' }))
  scene.kubernetes.delete('Service', { ...DEMO, name: 'demo-query' })
  await operator.settle()
  assert.deepEqual(
    children(),
    before.filter(({ kind, metadata }) => kind !== 'Service' || metadata.name !== 'demo-query'),
  )
  assert.deepEqual(plane.calls.slice(calls), [])
  assert.deepEqual(
    [cluster()?.status?.phase, conditionsOf(cluster()).Synced, conditionsOf(table()).Synced],
    ['Paused', 'Unknown Paused', 'Unknown Paused'],
  )
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: false }))
  await operator.settle()
  assert.deepEqual(
    [conditionsOf(cluster()).Ready, conditionsOf(table()).Ready],
    ['True AllServing', 'True AllServing'],
  )
  assert.equal(plane.state.tables.get('production.events')?.definition.retentionUs, 7_200_000_000)
})

test('reconcile: a control plane that is away makes conditions Unknown or False, never True, and nothing is undone', async () => {
  const { operator, scene, children, cluster, plane } = await ready()
  const before = children()
  plane.scene.away = true
  scene.advance(10_000)
  operator.addAll()
  await operator.settle()
  const told = conditionsOf(cluster())
  assert.deepEqual(
    [told.OperandReachable, told.Available, told.Ready],
    ['False ControlPlaneUnavailable', 'Unknown PlacementUnknown', 'False ControlPlaneUnavailable'],
  )
  assert.equal(cluster()?.status?.phase, 'Degraded')
  assert.equal(cluster()?.status?.freshness, 'Unknown')
  assert.deepEqual(children(), before)
})

test('reconcile: a Kafka that refuses the cluster is a condition and an Event with what to do, and over when it answers', async () => {
  const { operator, scene, children, cluster, plane, events } = await ready()
  const before = children()
  const message = 'Kafka does not take the user name and password of spec.kafka.sasl: no. Correct the Secret.'
  plane.scene.kafkaTrouble = { reason: 'KafkaAuthenticationFailed', message }
  const look = async () => {
    scene.advance(60_000)
    operator.addAll()
    await operator.settle()
    const { KafkaReachable, OperandReachable, Ready } = conditionsOf(cluster())
    return [KafkaReachable, OperandReachable, Ready, cluster()?.status?.phase]
  }
  const refused = 'False KafkaAuthenticationFailed'
  assert.deepEqual(await look(), [refused, 'True Answering', refused, 'Degraded'])
  assert.ok(events().some(({ note }) => note.includes(message)))
  assert.deepEqual(children(), before)
  plane.scene.kafkaTrouble = undefined
  assert.deepEqual(await look(), ['True Answering', 'True Answering', 'True AllServing', 'Ready'])
})

test('reconcile: a port whose number was edited is put back, though server-side apply keeps both and is refused', async () => {
  const { operator, kubernetes, events, advance } = await ready()
  const key = { ...DEMO, name: 'demo-gateway' }
  const portsOf = () =>
    (kubernetes.find('Service', key)?.spec as { ports: { name: string; port: number }[] } | undefined)
      ?.ports ?? []
  const before = portsOf()
  kubernetes.edit('Service', key, (draft) => {
    const [first, ...rest] = before
    Object.assign(draft.spec as object, { ports: [{ ...first, port: 9_999 }, ...rest] })
  })
  // As the API server does: known by their numbers, both ports come to stand there, and bear one name.
  let refused = 0
  kubernetes.hooks.around = ({ verb, kind, name }, work) => {
    if (verb === 'apply' && kind === 'Service' && name === key.name && portsOf()[0]?.port === 9_999) {
      refused += 1
      throw new KubernetesError('spec.ports[2].name: Duplicate value', { status: 422, reason: 'Invalid' })
    }
    return work()
  }
  advance(10_000)
  await operator.settle()
  assert.deepEqual(portsOf(), before)
  assert.equal(refused, 1)
  assert.equal(events().filter(({ reason }) => reason === 'ChildPutBack').length, 1)
  assert.deepEqual(operator.errors, [])
})

const putLate = (operator: Operator, plane: Scene['plane'], uid: string) =>
  operator.context.leaderEpochs.under(DEMO, (leaderEpoch) =>
    plane.operands.controlPlane(DEMO).putTable({
      uid,
      generation: 1n,
      definitionJson: JSON.stringify({ namespace: 'production', name: 'late', slots: 4 }),
      leaderEpoch,
    }),
  )

test('reconcile: a table is found lost only if the API server itself says so', async () => {
  const { operator, scene, plane, kubernetes } = await ready()
  // Another leader declared a table of which this one's cache has not heard.
  const late = scene.createTable('late', tableSpec({ name: 'late' }))
  await putLate(operator, plane, late.metadata.uid)
  scene.advance(10_000)
  operator.addAll()
  await operator.work()
  assert.equal(plane.state.tables.get('production.late')?.state, 'live')
  assert.ok(kubernetes.calls.some(({ verb, kind }) => verb === 'list' && kind === 'Table'))
  await operator.settle()
  assert.equal(plane.state.tables.get('production.late')?.state, 'live')
})

test('reconcile: a name that a Table unknown to the cache holds is not taken from it', async () => {
  const { operator, scene, plane, kubernetes, table } = await ready()
  const key = { ...DEMO, name: 'late' }
  const late = scene.createTable('late', tableSpec({ name: 'late' }))
  await putLate(operator, plane, late.metadata.uid)
  scene.createTable('later', tableSpec({ name: 'late' }))
  operator.sync()
  const { tables } = operator.context
  const blind = { ...tables, all: () => tables.all().filter(({ metadata }) => metadata.name !== 'late') }
  await reconcileTable(
    { ...operator.context, tables: { ...blind, get: tables.get } },
    { ...DEMO, name: 'later' },
    10_000,
  )
  assert.equal(plane.state.tables.get('production.late')?.uid, late.metadata.uid)
  assert.equal(conditionsOf(table('later')).SpecValid, 'False NameTaken')
  assert.ok(kubernetes.find('Table', key))
})

test('reconcile: a table whose object went while no operator ran is retained, once, with an Event', async () => {
  const { scene, plane, events, kubernetes } = await ready()
  kubernetes.delete('Table', { ...DEMO, name: 'events' })
  const next = scene.operator()
  await next.settle()
  scene.advance(10_000)
  next.addAll()
  await next.settle()
  assert.equal(plane.state.tables.get('production.events')?.state, 'retained')
  assert.equal(
    events().filter(({ reason, note }) => reason === 'DataRetained' && note.includes('production.events'))
      .length,
    1,
  )
})
