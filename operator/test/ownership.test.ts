import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { WRITES } from './memory-kubernetes.ts'
import { clusterSpec, createScene, DEMO } from './scene.ts'

const BLUE = { identity: 'blue/operator', image: 'truenow:1' }
const GREEN = { identity: 'green/operator', image: 'truenow:2' }
const annotate = (scene: ReturnType<typeof createScene>, value: string) =>
  scene.kubernetes.edit('TrueNowCluster', DEMO, (draft) => {
    Object.assign(draft.metadata as object, { annotations: { 'truenow.io/adopt': value } })
  })

const writesBesideEvents = ({ kubernetes }: ReturnType<typeof createScene>): number =>
  kubernetes.calls.filter(({ verb, kind }) => WRITES.includes(verb) && kind !== 'Event').length

test('ownership: another operator leaves a claimed cluster and its tables alone', async () => {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  await scene.operator(BLUE).settle()
  const [writes, calls] = [writesBesideEvents(scene), scene.plane.calls.length]
  const green = scene.operator(GREEN)
  await green.settle()
  scene.advance(60_000)
  await green.settle()
  assert.deepEqual([writesBesideEvents(scene), scene.plane.calls.length], [writes, calls])
  assert.ok(
    scene.events().some(({ reason, note }) => reason === 'ClaimedByAnotherOperator' && /annotate/.test(note)),
  )
  assert.equal(scene.cluster()?.status?.operator, BLUE.identity)
})

test('ownership: the annotation hands a cluster over, without a restart, and the former holder lets go', async () => {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  const [blue, green] = [scene.operator(BLUE), scene.operator(GREEN)]
  await blue.settle()
  const before = scene.children()
  annotate(scene, GREEN.identity)
  await green.settle()
  assert.equal(scene.cluster()?.status?.operator, GREEN.identity)
  // The catalog obeys the former holder until that has been silent for a minute, and the condition says so.
  const reachable = () => scene.cluster()?.status?.conditions?.find(({ type }) => type === 'OperandReachable')
  assert.equal(reachable()?.reason, 'AnotherOperatorCommands')
  await blue.settle()
  const writes = writesBesideEvents(scene)
  scene.advance(60_000)
  await blue.settle()
  assert.equal(writesBesideEvents(scene), writes)
  await green.settle()
  assert.equal(reachable()?.status, 'True')
  assert.deepEqual(scene.children(), before)
})

test('ownership: the annotation names another than who reads it: nothing happens', async () => {
  const scene = createScene()
  scene.createCluster()
  await scene.operator(BLUE).settle()
  annotate(scene, 'red/operator')
  await scene.operator(GREEN).settle()
  assert.equal(scene.cluster()?.status?.operator, BLUE.identity)
})

test('ownership: a former holder whose cache is old does not take the cluster back', async () => {
  const scene = createScene()
  scene.createCluster()
  const [blue, green] = [scene.operator(BLUE), scene.operator(GREEN)]
  await blue.settle()
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { gateway: { replicas: 3 } }))
  blue.sync() // From here on it hears no more.
  annotate(scene, GREEN.identity)
  await green.settle()
  let refused = 0
  scene.kubernetes.hooks.around = (_call, work) => {
    try {
      return work()
    } catch (error) {
      if (error instanceof KubernetesError && error.reason === 'Conflict') refused++
      throw error
    }
  }
  await blue.work()
  assert.equal(scene.cluster()?.status?.operator, GREEN.identity)
  assert.deepEqual([refused, blue.errors], [1, []], 'its status was refused, which is nothing to warn of')
})

test('ownership: of two operators that find a cluster free one holds it, and the other writes nothing', async () => {
  const scene = createScene()
  scene.createCluster()
  const [blue, green] = [scene.operator(BLUE), scene.operator(GREEN)]
  for (const one of [blue, green]) one.sync()
  for (const one of [blue, green]) await one.work()
  assert.equal(scene.cluster()?.status?.operator, BLUE.identity)
  const applied = scene.kubernetes.calls.filter(
    ({ verb, kind }) => verb === 'apply' && kind !== 'TrueNowCluster',
  )
  assert.deepEqual(applied, [], 'nothing before the claim has been seen to stand')
  await blue.settle()
  await green.settle()
  assert.equal(scene.cluster()?.status?.operator, BLUE.identity)
  assert.equal(scene.cluster()?.status?.image, 'truenow:1')
})

test('ownership: a claim that failed claims nothing by its status', async () => {
  const scene = createScene()
  scene.createCluster()
  const [blue, green] = [scene.operator(BLUE), scene.operator(GREEN)]
  for (const one of [blue, green]) one.sync()
  await blue.work()
  scene.kubernetes.hooks.around = (call, work) => {
    scene.kubernetes.hooks.around = (_call, next) => next()
    if (call.verb === 'apply')
      throw new KubernetesError('etcd is slow', { status: 500, reason: 'InternalError' })
    return work()
  }
  await green.work()
  assert.equal(scene.cluster()?.status?.operator, BLUE.identity)
})

test('ownership: a claim that failed says nothing of the spec', async () => {
  const scene = createScene()
  scene.createCluster()
  const operator = scene.operator()
  let left = 1
  scene.kubernetes.hooks.around = (call, work) => {
    if (call.verb === 'apply' && left-- > 0)
      throw new KubernetesError('slow', { status: 500, reason: 'InternalError' })
    return work()
  }
  operator.sync()
  await operator.work()
  const judged = scene.cluster()?.status?.conditions?.find(({ type }) => type === 'SpecValid')
  assert.deepEqual(
    [judged?.status, judged?.reason, scene.cluster()?.status?.phase],
    ['Unknown', 'StepFailed', 'Creating'],
  )
})

test('ownership: a leader that was frozen in the middle of a pass writes nothing more, to nobody', async () => {
  const total = await (async () => {
    const scene = createScene()
    scene.createCluster(clusterSpec({ deletionPolicy: 'Delete' }))
    scene.createTable()
    await scene.operator().settle()
    return scene.kubernetes.writes()
  })()
  for (let last = 0; last < total; last += 3) {
    const scene = createScene()
    scene.createCluster(clusterSpec({ deletionPolicy: 'Delete' }))
    scene.createTable()
    const writes = () =>
      scene.kubernetes.writes() + scene.plane.calls.filter(({ method }) => method !== 'forget').length
    const frozen = scene.operator({ isLeader: () => writes() < last })
    for (let round = 0; round < 6; round++) {
      frozen.sync()
      await frozen.work()
    }
    assert.equal(writes(), last, `after write ${last}`)
    const refused = frozen.errors.filter(
      (error) => error instanceof KubernetesError && error.reason === 'NotLeader',
    )
    assert.ok(refused.length > 0, 'and it says why')
  }
})
