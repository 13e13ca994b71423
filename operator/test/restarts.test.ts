import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterSpec, createScene, DEMO, NAMESPACE, type Scene } from './scene.ts'

const upgradeBlocked = (scene: Scene) => {
  const found = scene.cluster()?.status?.conditions?.find(({ type }) => type === 'UpgradeBlocked')
  return `${found?.status} ${found?.reason}`
}
const upgrade = (scene: Scene) => scene.cluster()?.status?.inProgressOperations?.upgrade
const restartsOf = (scene: Scene) =>
  scene
    .events()
    .filter(({ reason }) => reason === 'ShardRestart')
    .map(({ note }) => /^Pod (\S+) restarts \((\w+)\)/.exec(note)?.slice(1).join(' '))
const incarnations = ({ kubernetes }: Scene) =>
  kubernetes.list('Pod').map(({ metadata }) => `${metadata.name.at(-1)}:${metadata.uid.split('-').at(-1)}`)
const imageOfPods = ({ kubernetes }: Scene) =>
  kubernetes.list('Pod').map(({ spec }) => /"image":"(.*?)"/.exec(JSON.stringify(spec))?.[1])

async function begun(spec = clusterSpec({ image: 'truenow:1' })) {
  const scene = createScene()
  scene.plane.scene.reporting = true
  scene.createCluster(spec)
  scene.createTable()
  const operator = scene.operator()
  await operator.settle()
  return { scene, operator }
}
const restart = (scene: Scene, value: string) =>
  scene.kubernetes.edit(
    'TrueNowCluster',
    DEMO,
    ({ metadata }) =>
      void Object.assign(metadata as object, { annotations: { 'truenow.io/restart': value } }),
  )
/** Rounds a second apart, until nothing is on its way any more. */
async function rollOut(scene: Scene, operator: ReturnType<Scene['operator']>, rounds = 30): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await operator.settle()
    scene.advance(1_000)
    operator.addAll()
  }
}

test('restarts: asked for by the annotation, every shard once, from the highest down, and the end is told', async () => {
  const { scene, operator } = await begun()
  assert.deepEqual(incarnations(scene), ['0:1', '1:1'])
  restart(scene, 'a')
  await rollOut(scene, operator)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:2', '1:2'])
  assert.deepEqual(restartsOf(scene), ['demo-hot-tier-1 TemplateChanged', 'demo-hot-tier-0 TemplateChanged'])
  assert.equal(upgradeBlocked(scene), 'False NothingWaits')
  assert.equal(upgrade(scene), undefined)
  assert.equal(scene.cluster()?.status?.phase, 'Ready')
  scene.kubernetes.edit(
    'TrueNowCluster',
    DEMO,
    ({ metadata }) => void Object.assign(metadata as object, { annotations: {} }),
  )
  await rollOut(scene, operator)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:2', '1:2'], 'taken off again it asks for nothing')
})

test('restarts: the second shard waits until the first has read what it missed', async () => {
  const { scene, operator } = await begun()
  scene.plane.scene.behind.add(1)
  restart(scene, 'a')
  await rollOut(scene, operator)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:1', '1:2'])
  assert.equal(upgradeBlocked(scene), 'False RestartInProgress')
  const { role, pod, predicate, message } = upgrade(scene) ?? {}
  assert.deepEqual(
    { role, pod, predicate },
    { role: 'hot-tier', pod: 'demo-hot-tier-0', predicate: 'restarted_shards_caught_up' },
  )
  assert.match(message ?? '', /demo-hot-tier-1 has not caught up.*production\.events\/0/)
  scene.plane.scene.behind.clear()
  await rollOut(scene, operator)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:2', '1:2'])
})

test('restarts: none while the control plane is away, paused, or a slot has one replica; status says which', async () => {
  const { scene, operator } = await begun()
  scene.plane.scene.away = true
  restart(scene, 'a')
  await rollOut(scene, operator, 5)
  assert.equal(upgradeBlocked(scene), 'True control_plane_answers')
  scene.plane.scene.away = false
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: true }))
  await rollOut(scene, operator, 5)
  assert.equal(upgradeBlocked(scene), 'True Paused')
  assert.deepEqual(incarnations(scene), ['0:1', '1:1'])

  const hotTier = { ...clusterSpec().hotTier, replicationFactor: 1 }
  const single = await begun(clusterSpec({ image: 'truenow:1', hotTier }))
  restart(single.scene, 'a')
  await rollOut(single.scene, single.operator, 5)
  // In this scene every slot's only replica is on shard 0.
  assert.deepEqual(incarnations(single.scene).toSorted(), ['0:1', '1:2'])
  assert.equal(upgradeBlocked(single.scene), 'True SingleReplica')
})

test('restarts: a template that never comes up stops at one shard, and the next one mends it', async () => {
  const { scene, operator } = await begun()
  scene.scene.pod = (_name, image) => (image === 'truenow:bad' ? 'looping' : 'ready')
  const to = (image: string) =>
    scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { image }))
  to('truenow:bad')
  await rollOut(scene, operator)
  assert.deepEqual(imageOfPods(scene).toSorted(), ['truenow:1', 'truenow:bad'])
  assert.equal(upgradeBlocked(scene), 'True max_unavailable_reached')
  assert.match(upgrade(scene)?.message ?? '', /Then ingester, watermark, gateway/)
  // The control plane is of no help, and need not be.
  scene.plane.scene.away = true
  to('truenow:2')
  await rollOut(scene, operator, 3)
  assert.deepEqual(imageOfPods(scene).toSorted(), ['truenow:1', 'truenow:2'])
  assert.ok(restartsOf(scene).includes('demo-hot-tier-1 BrokenRevision'))
  scene.plane.scene.away = false
  await rollOut(scene, operator)
  assert.deepEqual(imageOfPods(scene), ['truenow:2', 'truenow:2'])
})

test('restarts: an image goes through the roles in order, and shards before whoever writes', async () => {
  const { scene, operator } = await begun()
  const images = () =>
    Object.fromEntries(
      ['StatefulSet', 'Deployment']
        .flatMap((kind) => scene.kubernetes.list(kind))
        .map((one) => [one.metadata.name.slice(5), /"image":"(.*?)"/.exec(JSON.stringify(one.spec))?.[1]]),
    )
  scene.plane.scene.behind.add(1)
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { image: 'truenow:2' }))
  await rollOut(scene, operator)
  const [old, fresh] = ['truenow:1', 'truenow:2']
  assert.deepEqual(images(), { 'control-plane': fresh, query: fresh, 'hot-tier': fresh, ingester: old, watermark: old, gateway: old }) // biome-ignore format: one line
  assert.equal(scene.cluster()?.status?.conditions?.[0]?.reason, 'RollingOut')
  scene.plane.scene.behind.clear()
  await rollOut(scene, operator)
  assert.deepEqual(new Set(Object.values(images())), new Set([fresh]))
  assert.equal(scene.cluster()?.status?.phase, 'Ready')
})

test('restarts: an old cache deletes no second pod', async () => {
  const { scene, operator } = await begun()
  restart(scene, 'a')
  for (let pass = 0; pass < 10 && restartsOf(scene).length === 0; pass++) {
    scene.runKubelet()
    operator.sync()
    scene.advance(1_000)
    operator.addAll()
    await operator.work()
  }
  // From here on the cache shows the deleted pod for ever: nothing else may go.
  for (let pass = 0; pass < 5; pass++) {
    scene.advance(1_000)
    operator.addAll()
    await operator.work()
  }
  assert.deepEqual(restartsOf(scene), ['demo-hot-tier-1 TemplateChanged'])
  assert.deepEqual(incarnations(scene), ['0:1'])
  await rollOut(scene, operator)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:2', '1:2'])
})

test('restarts: a pod that changed since it was judged is not deleted; it is judged again', async () => {
  const { scene, operator } = await begun()
  let refused = 0
  scene.kubernetes.hooks.around = ({ verb, kind, name }, work) => {
    if (verb === 'remove' && kind === 'Pod' && refused === 0) {
      refused += 1
      const touch = ({ metadata }: Record<string, unknown>) =>
        void Object.assign(metadata as object, { annotations: { by: 'somebody' } })
      scene.kubernetes.edit('Pod', { namespace: NAMESPACE, name }, touch, 'kubelet')
      assert.throws(work, { reason: 'Conflict' })
      assert.deepEqual(incarnations(scene).toSorted(), ['0:1', '1:1'])
    }
    return work()
  }
  restart(scene, 'a')
  await rollOut(scene, operator)
  assert.equal(refused, 1)
  assert.deepEqual(incarnations(scene).toSorted(), ['0:2', '1:2'])
})
