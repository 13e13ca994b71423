import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Rebalance } from '../src/api/v1alpha1/rebalance.ts'
import type { Table } from '../src/api/v1alpha1/table.ts'
import { diagnose } from '../src/kubectl/diagnose.ts'
import { seenObjects } from '../src/kubectl/seen-objects.ts'
import { clusterSpec, createScene, DEMO, hotTier, type Operator, type Scene } from './scene.ts'

/* Shards that report how busy each slot keeps them, and what the operator does and says of it. */
const HOT = {
  applyShare: 0.6,
  scanShare: 0.15,
  rowsPerSecond: 12_345,
  topKeys: [{ key: 'user_id="u1"', share: 0.9 }],
}

const REBALANCE = { mode: 'Manual', concurrentMoves: 2, replaceAfter: '10m', hotSlotPercent: 70 }

function busyScene(
  shards: number,
  rebalance: Partial<typeof REBALANCE> = {},
): Readonly<{ scene: Scene; operator: Operator }> {
  const scene = createScene()
  scene.createCluster(clusterSpec({ hotTier: hotTier(shards), rebalance: { ...REBALANCE, ...rebalance } }))
  scene.createTable()
  scene.plane.scene.reporting = true
  scene.plane.scene.replicaBytes = 100n << 20n
  scene.plane.scene.shardBytesMax = 1n << 30n
  return { scene, operator: scene.operator() }
}
const table = (scene: Scene) =>
  scene.kubernetes.find('Table', { ...DEMO, name: 'events' }) as unknown as Table
const condition = (scene: Scene) =>
  table(scene).status?.conditions?.find(({ type }) => type === 'SlotsWithinLimits')
const events = (scene: Scene) => scene.events().filter(({ note }) => note.startsWith('SlotsWithinLimits is '))
async function pass(scene: Scene, operator: Operator, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 5) {
    await operator.settle()
    scene.advance(5_000)
  }
  await operator.settle()
}

test('hot slots: one that no move helps is too hot after a minute, with shard, share, keys and what to do; cool it is well', async () => {
  const { scene, operator } = busyScene(2)
  await pass(scene, operator, 30)
  assert.equal(condition(scene), undefined)
  const name = [...scene.plane.state.tables.keys()][0]
  scene.plane.scene.busy.set(`${name}/2`, HOT)
  await pass(scene, operator, 50)
  assert.equal(condition(scene), undefined)
  await pass(scene, operator, 30)
  assert.deepEqual([condition(scene)?.status, condition(scene)?.reason], ['False', 'SlotTooHot'])
  const message = condition(scene)?.message ?? ''
  assert.match(
    message,
    /^Slot 2 on shard 0 takes about 75 % of what one slot may: 12000 rows\/s, 75 % of a core, 100 MiB/,
  )
  assert.match(message, /every shard that may be given more holds it; raise hotTier\.shards/)
  assert.match(message, /user_id="u1" \(90 %\)/)
  assert.match(message, /another partitionBy/)
  assert.deepEqual(events(scene).map(({ reason }) => reason), ['SlotTooHot']) // biome-ignore format: one line
  const found = diagnose(await seenObjects(scene.kubernetes.port, DEMO.namespace), 0)
  assert.ok(found.some(({ what }) => what.startsWith('SlotsWithinLimits is False (SlotTooHot)')))

  // Figures move a little: neither status nor Events do.
  const { resourceVersion } = table(scene).metadata as { resourceVersion?: string }
  scene.plane.scene.busy.set(`${name}/2`, { ...HOT, rowsPerSecond: 13_000, applyShare: 0.5 })
  await pass(scene, operator, 60)
  assert.equal((table(scene).metadata as { resourceVersion?: string }).resourceVersion, resourceVersion)
  scene.plane.scene.busy.set(`${name}/2`, { ...HOT, applyShare: 0.1 })
  await pass(scene, operator, 20)
  assert.deepEqual([condition(scene)?.status, condition(scene)?.reason], ['True', 'NothingToDo'])
})

test('hot slots: one that a move helps is hot; the proposal moves it first, and where it is still hot alone it is too hot', async () => {
  const { scene, operator } = busyScene(3)
  await operator.settle()
  const name = [...scene.plane.state.tables.keys()][0] ?? ''
  // Replicas stand on shards 0 and 1; another slot shares their worker with the hot one.
  scene.plane.scene.busy.set(`${name}/1`, HOT)
  scene.plane.scene.busy.set(`${name}/0`, { applyShare: 0.4 })
  await pass(scene, operator, 80)
  assert.deepEqual([condition(scene)?.status, condition(scene)?.reason], ['False', 'SlotHot'])
  assert.match(condition(scene)?.message ?? '', /shard 2 is less busy: a Rebalance moves it there \(kubectl truenow rebalance plan demo\)/) // biome-ignore format: one line
  const key = { ...DEMO, name: 'relief' }
  scene.kubernetes.create({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Rebalance',
    metadata: { ...key },
    spec: { clusterRef: { name: 'demo' }, mode: 'Full' },
  })
  const rebalance = () => scene.kubernetes.find('Rebalance', key) as unknown as Rebalance
  await pass(scene, operator, 10)
  const [first, ...others] = rebalance().status?.moves ?? []
  assert.deepEqual([first?.slot, first?.to], [1, 2])
  assert.match(first?.message ?? '', /hot/)
  // What evens the numbers out is cool: neither the hot slot again nor its busy neighbour.
  assert.ok(others.length > 0 && others.every(({ slot }) => slot !== 1 && slot !== 0))
  scene.kubernetes.edit('Rebalance', key, (draft) => {
    Object.assign(draft.metadata as object, { annotations: { 'truenow.io/approve': 'true' } })
  })
  await pass(scene, operator, 60)
  assert.equal(rebalance().status?.state, 'Ready')
  assert.deepEqual([condition(scene)?.status, condition(scene)?.reason], ['False', 'SlotTooHot'])
  assert.deepEqual(
    events(scene).map(({ reason }) => reason),
    ['SlotHot', 'SlotTooHot'],
  )
})

test('hot slots: with rebalance.mode Auto the hot slot moves by itself, and hotSlotPercent says what is hot', async () => {
  const { scene, operator } = busyScene(3, { mode: 'Auto', hotSlotPercent: 40 })
  await operator.settle()
  const name = [...scene.plane.state.tables.keys()][0] ?? ''
  for (const [slot, applyShare] of [[3, 0.45], [0, 0.3], [1, 0.3]] as const) // biome-ignore format: one line
    scene.plane.scene.busy.set(`${name}/${slot}`, { applyShare })
  await pass(scene, operator, 80)
  assert.equal(condition(scene)?.reason, 'SlotHot')
  scene.kubernetes.create({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Rebalance',
    metadata: { ...DEMO, name: 'auto' },
    spec: { clusterRef: { name: 'demo' }, mode: 'Full' },
  })
  await pass(scene, operator, 60)
  const [first] = [...scene.plane.moves.plans.values()][0] ?? []
  assert.deepEqual([first?.slot, first?.to, first?.phase], [3, 2, MovePhase.DONE])
})
