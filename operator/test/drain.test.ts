import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callKubectl } from './call-kubectl.ts'
import { clusterSpec, createScene, DEMO, hotTier, type Operator, type Scene } from './scene.ts'

/* Shards that are emptied and kept so, over shards in memory that do at once what they are told. */
const SHARD = 'demo-hot-tier-1'

async function settled(shards = 3): Promise<Readonly<{ scene: Scene; operator: Operator }>> {
  const scene = createScene()
  scene.createCluster(clusterSpec({ hotTier: hotTier(shards) }))
  scene.createTable()
  scene.plane.scene.reporting = true
  const operator = scene.operator()
  await pass(scene, operator, 2)
  return { scene, operator }
}
async function pass(scene: Scene, operator: Operator, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await operator.settle()
    scene.advance(1_000)
  }
}
const draining = (scene: Scene) => {
  const { conditions = [], inProgressOperations } = scene.cluster()?.status ?? {}
  const { status = '', reason = '', message = '' } = conditions.find(({ type }) => type === 'Draining') ?? {}
  return { is: `${status} ${reason}`, message, drain: inProgressOperations?.drain }
}
/** Slots that stand on a shard, by the moves that have changed over since the beginning on shards 0 and 1. */
async function heldBy(operator: Operator, shard: number): Promise<number> {
  const { catalog } = await operator.context.operands.controlPlane(DEMO).getPlacement({})
  const slots = (catalog?.tables ?? []).flatMap((table) => table.slots)
  return slots.filter(({ replicas }) => replicas.some((one) => one.shard === shard)).length
}

test('drain: a shard is emptied by moves and kept empty, visibly; uncordoned, a Rebalance gives it its share', async () => {
  const { scene, operator } = await settled()
  assert.deepEqual(draining(scene), { is: ' ', message: '', drain: undefined })
  const asked = await callKubectl(scene, 'drain', SHARD)
  assert.deepEqual([asked.code, asked.err], [0, ''])
  assert.match(asked.out, /uncordon demo-hot-tier-1/)
  await pass(scene, operator, 1)
  assert.equal(draining(scene).is, 'True Emptying')
  assert.deepEqual(draining(scene).drain?.map(({ pod, predicate }) => [pod, predicate]), [[SHARD, 'shard_is_empty']]) // biome-ignore format: one line
  await pass(scene, operator, 40)
  assert.equal(await heldBy(operator, 1), 0)
  assert.deepEqual([await heldBy(operator, 0), await heldBy(operator, 2)], [4, 4])
  assert.equal(draining(scene).is, 'True Drained')
  assert.match(
    (await callKubectl(scene, 'status', 'demo')).out,
    /drain +demo-hot-tier-1 +shard_is_uncordoned +It holds nothing/,
  )
  assert.equal((await callKubectl(scene, 'doctor', 'demo')).code, 0)
  assert.equal(scene.cluster()?.status?.phase, 'Ready')

  // Nothing goes back, also by a Rebalance that people make.
  scene.kubernetes.create({ apiVersion: 'truenow.io/v1alpha1', kind: 'Rebalance', metadata: { ...DEMO, name: 'even' }, spec: { clusterRef: { name: 'demo' }, mode: 'Full' } }) // biome-ignore format: one line
  await pass(scene, operator, 70)
  const even = () => scene.kubernetes.find('Rebalance', { ...DEMO, name: 'even' })?.status as { moveCount?: number } | undefined // biome-ignore format: one line
  assert.equal(even()?.moveCount, 0)
  assert.equal((await callKubectl(scene, 'uncordon', SHARD)).code, 0)
  await pass(scene, operator, 130)
  assert.deepEqual([draining(scene).is, draining(scene).drain], ['False NothingToDo', undefined])
  assert.ok((even()?.moveCount ?? 0) > 0)
})

test('drain: without room for what the shard holds nothing is begun, and status says what is missing', async () => {
  const { scene, operator } = await settled()
  scene.plane.scene.replicaBytes = 100n
  scene.plane.scene.shardBytesMax = 430n // What is moved may grow by a tenth meanwhile.
  await callKubectl(scene, 'drain', SHARD)
  await pass(scene, operator, 20)
  assert.equal(draining(scene).is, 'False InsufficientCapacity')
  assert.match(
    draining(scene).message,
    /Nothing was begun: Shard 2 would get 4 replicas and need 440 bytes, of which 430 are free/,
  )
  assert.deepEqual(scene.plane.state.drained, [])
  assert.equal(scene.plane.moves.plans.size, 0)
  assert.match((await callKubectl(scene, 'doctor', 'demo')).out, /Draining is False \(InsufficientCapacity\)/)
  scene.plane.scene.shardBytesMax = 440n
  await pass(scene, operator, 60)
  assert.equal(draining(scene).is, 'True Drained')
})

test('drain: taken back half-way, moves that do not serve yet are undone and nothing is left over', async () => {
  const { scene, operator } = await settled()
  await callKubectl(scene, 'drain', SHARD)
  await pass(scene, operator, 3)
  const moves = () => [...scene.plane.moves.plans.values()].flat()
  assert.ok(moves().length > 0)
  await callKubectl(scene, 'uncordon', SHARD)
  await pass(scene, operator, 30)
  assert.equal(draining(scene).is, 'False NothingToDo')
  assert.deepEqual(scene.plane.state.drained, [])
  // What had changed over is finished, the rest undone: every slot stands on two shards.
  const held = [await heldBy(operator, 0), await heldBy(operator, 1), await heldBy(operator, 2)]
  assert.equal(
    held.reduce((sum, one) => sum + one, 0),
    8,
  )
})

test('drain: paused it waits, and goes on afterwards; below replicationFactor it is not asked for', async () => {
  const { scene, operator } = await settled()
  await callKubectl(scene, 'pause', 'demo')
  await callKubectl(scene, 'drain', SHARD)
  await pass(scene, operator, 3)
  assert.equal(draining(scene).is, 'True Paused')
  await callKubectl(scene, 'resume', 'demo')
  await pass(scene, operator, 40)
  assert.equal(draining(scene).is, 'True Drained')
  const second = await callKubectl(scene, 'drain', 'demo-hot-tier-2')
  assert.deepEqual([second.code, second.out], [1, ''])
  assert.match(second.err, /1 shards would be left, and replicationFactor is 2/)
})

const refusals: ReadonlyArray<[what: string, args: readonly string[], says: RegExp]> = [
  ['what is no shard', ['drain', 'demo-query-0'], /'demo-query-0' is no shard; name its pod, such as/],
  ['a cluster that is not there', ['drain', 'other-hot-tier-0'], /There is no TrueNowCluster other in apps/],
  ['a shard that is not there', ['drain', 'demo-hot-tier-3'], /its cluster has 3 shards/],
  ['one that is not drained', ['uncordon', SHARD], /it is not drained/],
]
for (const [what, args, says] of refusals)
  test(`kubectl truenow: ${args[0]} refuses ${what}`, async () => {
    const { scene } = await settled()
    const { code, out, err } = await callKubectl(scene, ...args)
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, says)
  })
