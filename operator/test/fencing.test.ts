import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterSpec, createScene, DEMO, type Scene } from './scene.ts'

/*
 * O2 of the fault list: a leader that slept longer than its Lease, and whose clock slept with it, so that it still believes
 * that it leads (`isLeader` stays true here, as after a virtual machine was suspended). What the API server cannot refuse,
 * the control plane does: each command carries the epoch of a term of the Lease.
 */
const begin = () => {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  return scene
}
const catalogOf = ({ plane }: Scene) =>
  JSON.stringify([
    plane.state.generation,
    plane.state.shards,
    [...plane.state.tables],
    [...plane.state.topics],
  ])

test('fencing: a leader that slept through the next one’s term commands nothing more, whatever it wakes to', async () => {
  const commands: Record<string, (scene: Scene) => void> = {
    putCluster: (scene) =>
      scene.editSpec('TrueNowCluster', 'demo', (spec) => {
        Object.assign(spec, { hotTier: { ...clusterSpec().hotTier, shards: 3 } })
      }),
    putTable: (scene) => void scene.createTable('later'),
    deleteTable: (scene) => scene.kubernetes.delete('Table', { ...DEMO, name: 'events' }),
    deleteCluster: (scene) => scene.kubernetes.delete('TrueNowCluster', DEMO),
  }
  for (const [method, change] of Object.entries(commands)) {
    const scene = begin()
    const sleeper = scene.operator({ term: 0 })
    await sleeper.settle()
    const next = scene.operator({ term: 1 })
    await next.settle()
    const before = catalogOf(scene)
    change(scene)
    sleeper.sync()
    scene.advance(10_000)
    await sleeper.work()
    assert.equal(catalogOf(scene), before, `${method} of the sleeper was obeyed`)
    assert.match(
      sleeper.deposed[0] ?? '',
      /leader epoch 1 is not 2/,
      `${method}: it learns that it was deposed`,
    )
    assert.deepEqual(next.deposed, [])
  }
})

test('fencing: who won the Lease first and asks last gets no epoch, though nobody has commanded since', async () => {
  const scene = begin()
  const first = scene.operator({ term: 3 })
  const second = scene.operator({ term: 4 })
  await second.settle()
  const before = catalogOf(scene)
  first.sync()
  await first.work()
  assert.match(first.deposed[0] ?? '', /term 3 of .* is not newer than term 4/)
  assert.equal(catalogOf(scene), before)
  scene.advance(10_000)
  await second.settle()
  assert.deepEqual([second.deposed, second.errors], [[], []])
})

test('fencing: a catalog that was made anew is no reason to end, and is declared again', async () => {
  const scene = begin()
  const operator = scene.operator({ term: 5 })
  await operator.settle()
  scene.plane.moves.leader = undefined
  scene.plane.state.tables.clear()
  scene.plane.state.clusterUid = ''
  for (let round = 0; round < 3; round++) {
    scene.advance(10_000)
    await operator.settle()
  }
  assert.deepEqual(operator.deposed, [])
  assert.equal(scene.plane.state.tables.get('production.events')?.state, 'live')
})
