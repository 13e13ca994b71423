import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Rebalance } from '../src/api/v1alpha1/rebalance.ts'
import { clusterSpec, createScene, DEMO, hotTier, type Operator, type Scene } from './scene.ts'

/*
 * A cluster of three shards whose replicas all stand on two of them; its control plane takes a step of every move each time
 * that it is asked to.
 */
const KEY = { ...DEMO, name: 'even' }
const SPEC = { clusterRef: { name: 'demo' }, mode: 'Full' }
const unevenSpec = (more: object = {}) =>
  clusterSpec({
    hotTier: hotTier(3),
    ...more,
  })

function uneven(more: object = {}): Scene {
  const scene = createScene()
  scene.createCluster(unevenSpec(more))
  scene.createTable()
  return scene
}
const createRebalance = (scene: Scene) =>
  scene.kubernetes.create({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Rebalance',
    metadata: { ...KEY },
    spec: SPEC,
  })
const rebalance = (scene: Scene) => scene.kubernetes.find('Rebalance', KEY) as unknown as Rebalance
const statusOf = (scene: Scene) => rebalance(scene).status
const annotate = (scene: Scene, verb: string) =>
  scene.kubernetes.edit('Rebalance', KEY, (draft) => {
    Object.assign(draft.metadata as object, { annotations: { [`truenow.io/${verb}`]: 'true' } })
  })
const phases = (scene: Scene) => [...scene.plane.moves.plans.values()].flat().map(({ phase }) => phase)

/** Passes a second apart, until the state is one of these. */
async function until(scene: Scene, operator: Operator, ...states: string[]): Promise<void> {
  for (let second = 0; second < 40; second++) {
    await operator.settle()
    if (states.includes(statusOf(scene)?.state ?? '')) return
    scene.advance(1_000)
  }
  assert.fail(`still ${statusOf(scene)?.state}: ${statusOf(scene)?.message}`)
}

test('Rebalance: nothing moves before it is approved; then every move is driven to its end and told', async () => {
  const scene = uneven()
  const operator = scene.operator()
  await operator.settle()
  createRebalance(scene)
  await until(scene, operator, 'ProposalReady')
  assert.equal(statusOf(scene)?.moveCount, 2)
  assert.match(statusOf(scene)?.message ?? '', /annotate with truenow.io\/approve=true/)
  scene.advance(120_000)
  await operator.settle()
  assert.deepEqual(phases(scene), [])

  annotate(scene, 'approve')
  await until(scene, operator, 'Rebalancing')
  assert.deepEqual(rebalance(scene).metadata.annotations ?? {}, {})
  assert.deepEqual(
    statusOf(scene)?.moves?.map(({ phase }) => phase),
    ['Bootstrapping', 'Bootstrapping'],
  )
  await until(scene, operator, 'Ready')
  assert.deepEqual(phases(scene), [MovePhase.DONE, MovePhase.DONE])
  assert.equal(statusOf(scene)?.progress?.movesEnded, 2)
  const ready = statusOf(scene)?.conditions?.find(({ type }) => type === 'Ready')
  assert.deepEqual([ready?.status, ready?.reason], ['True', 'Ready'])
  const reasons = scene.events().map(({ reason }) => reason)
  for (const reason of ['ProposalReady', 'Rebalancing', 'Ready']) assert.ok(reasons.includes(reason), reason)
  // Even now: the next proposal would move nothing.
  annotate(scene, 'refresh')
  await until(scene, operator, 'Ready')
  assert.equal(statusOf(scene)?.moveCount, 0)
  assert.equal(statusOf(scene)?.round, 1)
})

test('Rebalance: stopped, what does not serve yet is undone; refreshed and approved it goes on under another plan', async () => {
  const scene = uneven({ rebalance: { mode: 'Manual', concurrentMoves: 1 } })
  const operator = scene.operator()
  await operator.settle()
  createRebalance(scene)
  await until(scene, operator, 'ProposalReady')
  annotate(scene, 'approve')
  await until(scene, operator, 'Rebalancing')
  assert.deepEqual(phases(scene), [MovePhase.BOOTSTRAPPING, MovePhase.PLANNED])
  annotate(scene, 'stop')
  await until(scene, operator, 'Stopped')
  assert.deepEqual(phases(scene), [MovePhase.CANCELLED, MovePhase.CANCELLED])
  annotate(scene, 'approve')
  await operator.settle()
  assert.ok(scene.events().some(({ reason, note }) => reason === 'VerbRefused' && /Stopped/.test(note)))
  assert.deepEqual(rebalance(scene).metadata.annotations ?? {}, {})
  annotate(scene, 'refresh')
  await until(scene, operator, 'ProposalReady')
  annotate(scene, 'approve')
  await until(scene, operator, 'Ready')
  assert.equal(statusOf(scene)?.round, 2)
  assert.deepEqual(
    [...scene.plane.moves.plans.keys()].map((planId) => planId.split('/')[1]),
    ['1', '2'],
  )
})

test('Rebalance: made before its cluster it waits, and proposes once that is there', async () => {
  const scene = createScene()
  const operator = scene.operator()
  createRebalance(scene)
  await until(scene, operator, 'NotReady')
  assert.match(statusOf(scene)?.message ?? '', /There is no TrueNowCluster demo/)
  scene.createCluster(unevenSpec())
  scene.createTable()
  await until(scene, operator, 'ProposalReady')
})

test('Rebalance: shards that were added come up empty and get their share', async () => {
  const scene = createScene()
  scene.createCluster()
  scene.createTable()
  const operator = scene.operator()
  await operator.settle()
  createRebalance(scene)
  await until(scene, operator, 'ProposalReady')
  assert.equal(statusOf(scene)?.moveCount, 0)
  scene.editSpec('TrueNowCluster', 'demo', (spec) => {
    Object.assign(spec.hotTier as unknown as object, { shards: 3 })
  })
  scene.advance(60_000)
  await operator.settle()
  const shards = scene.kubernetes.find('StatefulSet', { ...DEMO, name: 'demo-hot-tier' })
  assert.equal((shards?.spec as { replicas: number } | undefined)?.replicas, 3)
  scene.advance(60_000)
  await operator.settle()
  assert.equal(statusOf(scene)?.moveCount, 2)
  assert.ok(statusOf(scene)?.moves?.every(({ to }) => to === 2))
  annotate(scene, 'approve')
  await until(scene, operator, 'Ready')
  assert.deepEqual(phases(scene), [MovePhase.DONE, MovePhase.DONE])
})

test('Rebalance: mode Auto approves by itself; while the cluster is paused nothing begins', async () => {
  const scene = uneven({ rebalance: { mode: 'Auto', concurrentMoves: 2 } })
  const operator = scene.operator()
  await operator.settle()
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: true }))
  createRebalance(scene)
  await until(scene, operator, 'ProposalReady')
  assert.deepEqual(phases(scene), [])
  scene.editSpec('TrueNowCluster', 'demo', (spec) => void Object.assign(spec, { paused: false }))
  scene.advance(60_000)
  await until(scene, operator, 'Ready')
  assert.deepEqual(phases(scene), [MovePhase.DONE, MovePhase.DONE])
})

test('Rebalance: deleted while it moves, its moves are undone or finished by the cluster’s own passes', async () => {
  const scene = uneven()
  const operator = scene.operator()
  await operator.settle()
  createRebalance(scene)
  await until(scene, operator, 'ProposalReady')
  annotate(scene, 'approve')
  await until(scene, operator, 'Rebalancing')
  scene.advance(1_000)
  await operator.settle()
  scene.kubernetes.delete('Rebalance', KEY)
  for (let second = 0; second < 30; second++) {
    await operator.settle()
    scene.advance(1_000)
  }
  assert.deepEqual(phases(scene), [MovePhase.CANCELLED, MovePhase.CANCELLED])
})

test('Rebalance: a leader that was replaced while it slept moves nothing more', async () => {
  const scene = uneven()
  const old = scene.operator({ term: 1 })
  await old.settle()
  createRebalance(scene)
  await until(scene, old, 'ProposalReady')
  annotate(scene, 'approve')
  await until(scene, old, 'Rebalancing')
  const next = scene.operator({ term: 2 })
  next.addAll()
  scene.advance(1_000)
  await next.settle()
  const before = phases(scene)
  scene.advance(1_000)
  await old.settle()
  assert.deepEqual(phases(scene), before)
  assert.match(statusOf(scene)?.message ?? '', /not newer|not 2/)
  await until(scene, next, 'Ready')
})

test('Rebalance: the operator dies after every write, before and after its answer; the next one ends the same', async () => {
  const WRITES = ['apply', 'mergePatch', 'create', 'replace', 'remove']
  const begin = async (): Promise<Scene> => {
    const scene = uneven()
    const operator = scene.operator({ term: 0 })
    await operator.settle()
    createRebalance(scene)
    await until(scene, operator, 'ProposalReady')
    annotate(scene, 'approve')
    return scene
  }
  /** Lets `last` writes happen, then nothing more that this operator asks. */
  const run = async (scene: Scene, last: number, answered: boolean): Promise<number> => {
    let writes = 0
    let dead = false
    const around = <Answer>(isWrite: boolean, work: () => Answer): Answer => {
      if (dead || (isWrite && writes >= last)) {
        dead = true
        throw new Error('killed')
      }
      const answer = work()
      if (!isWrite || ++writes < last || answered) return answer
      dead = true
      throw new Error('killed before the answer')
    }
    scene.kubernetes.hooks.around = ({ verb }, work) => around(WRITES.includes(verb), work)
    scene.plane.hooks.around = (_call, work) => around(true, work)
    const operator = scene.operator({ term: 1 })
    operator.addAll()
    for (let second = 0; second < 14 && !dead; second++) {
      await operator.settle().catch((error: unknown) => assert.match(String(error), /no rest|killed/))
      scene.advance(1_000)
    }
    scene.kubernetes.hooks.around = (_call, work) => work()
    scene.plane.hooks.around = (_call, work) => work()
    return writes
  }
  const end = (scene: Scene) => ({
    phases: phases(scene),
    plans: scene.plane.moves.plans.size,
    state: statusOf(scene)?.state,
    round: statusOf(scene)?.round,
    shards: statusOf(scene)?.shards,
    annotations: rebalance(scene).metadata.annotations ?? {},
  })
  const whole = await begin()
  const counted = await run(whole, Number.POSITIVE_INFINITY, true)
  const expected = end(whole)
  assert.deepEqual([expected.state, expected.plans], ['Ready', 1])
  assert.ok(counted > 10, `only ${counted} writes`)
  for (let last = 1; last <= counted; last++) {
    for (const answered of [false, true]) {
      const scene = await begin()
      await run(scene, last, answered)
      const next = scene.operator({ term: 2 })
      next.addAll()
      await until(scene, next, 'Ready')
      assert.deepEqual(end(scene), expected, `after write ${last}, ${answered ? 'answered' : 'unanswered'}`)
    }
  }
})

test('Rebalance: whoever goes on with a plan that nobody told of yet tells what its shards hold before and after', async () => {
  const scene = uneven({ rebalance: { mode: 'Auto' } })
  const first = scene.operator({ term: 0 })
  await first.settle()
  createRebalance(scene)
  let dead = false
  const unlessDead = <Answer>(work: () => Answer): Answer => {
    if (dead) throw new Error('killed')
    return work()
  }
  scene.kubernetes.hooks.around = (_call, work) => unlessDead(work)
  scene.plane.hooks.around = (call, work) => {
    const answer = unlessDead(work)
    dead = call.method === 'approveMoves'
    return unlessDead(() => answer)
  }
  await first.settle().catch((error: unknown) => assert.match(String(error), /no rest|killed/))
  assert.equal(scene.plane.moves.plans.size, 1)
  assert.equal(statusOf(scene)?.shards, undefined)
  scene.kubernetes.hooks.around = (_call, work) => work()
  scene.plane.hooks.around = (_call, work) => work()
  await until(scene, scene.operator({ term: 1 }), 'Rebalancing', 'Ready')
  const shards = statusOf(scene)?.shards ?? []
  assert.deepEqual(
    shards.map(({ shard, replicasBefore }) => [shard, replicasBefore]),
    [[0, 4], [1, 4], [2, 0]], // biome-ignore format: one line
  )
  assert.ok(shards.every(({ replicasAfter }) => replicasAfter >= 2 && replicasAfter <= 3))
})
