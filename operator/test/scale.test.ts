import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { Rebalance } from '../src/api/v1alpha1/rebalance.ts'
import { KubernetesError } from '../src/kubernetes/kubernetes-port.ts'
import { clusterSpec, createScene, DEMO, hotTier, type Operator, type Scene } from './scene.ts'

/*
 * Shards that come and go by the spec: a cluster whose slots stand on all of its shards, and a control plane that takes a
 * step of every move each time that it is asked to.
 */
const SECONDS_MAX = 90

/** Passes a second apart, until it is so. */
async function until(scene: Scene, operator: Operator, what: string, isSo: () => boolean): Promise<void> {
  for (let second = 0; second < SECONDS_MAX; second++) {
    await operator.settle()
    if (isSo()) return
    scene.advance(1_000)
  }
  assert.fail(`not in ${SECONDS_MAX} s: ${what}; ${JSON.stringify(statusOf(scene)?.inProgressOperations)}`)
}

const untilMovesEnd = (scene: Scene, operator: Operator) =>
  until(scene, operator, 'rest', () =>
    [...scene.plane.moves.plans.values()].flat().every(({ phase }) => phase >= MovePhase.DONE),
  )

const statusOf = (scene: Scene) => scene.cluster()?.status
const conditionOf = (scene: Scene, type: string) =>
  statusOf(scene)?.conditions?.find((one) => one.type === type)
const setReplicas = (scene: Scene) =>
  (
    scene.kubernetes.find('StatefulSet', { ...DEMO, name: 'demo-hot-tier' })?.spec as
      | { replicas: number }
      | undefined
  )?.replicas
const volumes = (scene: Scene) =>
  scene.kubernetes
    .list('PersistentVolumeClaim')
    .map(({ metadata }) => metadata.name)
    .toSorted()
const rebalanceOf = (scene: Scene, name: string) =>
  scene.kubernetes.find('Rebalance', { ...DEMO, name }) as unknown as Rebalance | undefined
const holdersOf = async (scene: Scene): Promise<number[][]> => {
  const { catalog } = await scene.plane.operands.controlPlane(DEMO).getPlacement({})
  return (catalog?.tables ?? []).flatMap(({ slots }) =>
    slots.map(({ replicas }) => replicas.map(({ shard }) => shard)),
  )
}
const setShards = (scene: Scene, shards: number, replicationFactor = 2) =>
  scene.editSpec(
    'TrueNowCluster',
    'demo',
    (spec) => void Object.assign(spec, { hotTier: hotTier(shards, replicationFactor) }),
  )

/** Four shards, each with two replicas of the four slots. */
async function spread(scene: Scene, more: object = {}): Promise<Operator> {
  scene.plane.scene.reporting = true
  const operator = scene.operator()
  scene.createCluster(clusterSpec({ hotTier: hotTier(4), rebalance: { mode: 'Auto', concurrentMoves: 2, replaceAfter: '60s', hotSlotPercent: 70 }, ...more })) // biome-ignore format: one line
  scene.createTable()
  await operator.settle()
  scene.kubernetes.create({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Rebalance',
    metadata: { ...DEMO, name: 'even' },
    spec: { clusterRef: { name: 'demo' }, mode: 'Full' },
  })
  await until(scene, operator, 'even', () => rebalanceOf(scene, 'even')?.status?.state === 'Ready')
  scene.kubernetes.delete('Rebalance', { ...DEMO, name: 'even' })
  const held = (await holdersOf(scene)).flat()
  for (const shard of [0, 1, 2, 3]) assert.equal(held.filter((one) => one === shard).length, 2)
  return operator
}

test('fewer shards: emptied first, the last ones first, then pods, volumes and names go; status tells at each step', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  const seen = new Set<string>()
  setShards(scene, 2)
  await until(scene, operator, 'two shards', () => {
    const { downscale } = statusOf(scene)?.inProgressOperations ?? {}
    for (const { predicate } of downscale ?? []) seen.add(predicate)
    if ((setReplicas(scene) ?? 0) < 4) {
      const open = scene.plane.moves.plans.values().toArray().flat()
      assert.ok(
        open.every(({ phase }) => phase >= MovePhase.DONE),
        'no pod goes before every move is over',
      )
    }
    return scene.plane.state.registered.size === 2 && downscale === undefined
  })
  assert.ok((await holdersOf(scene)).every((held) => held.join() === '0,1'))
  assert.equal(setReplicas(scene), 2)
  assert.deepEqual(volumes(scene), ['data-demo-hot-tier-0', 'data-demo-hot-tier-1'])
  assert.ok(seen.has('shard_is_empty'), [...seen].join())
  const { calls } = scene.kubernetes
  const lowered = calls.findLastIndex(({ verb, kind }) => verb === 'apply' && kind === 'StatefulSet')
  const removed = calls.flatMap(({ verb, name }, at) => (verb === 'remove' ? [{ name, at }] : []))
  assert.deepEqual(removed.map(({ name }) => name).toSorted(), [
    'data-demo-hot-tier-2',
    'data-demo-hot-tier-3',
  ])
  assert.ok(
    removed.every(({ at }) => at > lowered),
    'volumes go after their pods',
  )
  assert.deepEqual(
    scene.plane.calls.filter(({ method }) => method === 'retireShards').map(({ uid }) => uid),
    ['2,3'],
  )
  assert.equal(conditionOf(scene, 'ScalingDown')?.status, 'False')
  assert.equal(conditionOf(scene, 'Ready')?.status, 'True')
  const made = rebalanceOf(scene, 'demo-remove-shards')
  assert.deepEqual([made?.spec.mode, made?.status?.state], ['RemoveShards', 'Ready'])
  const events = scene.events().filter(({ reason }) => reason === 'ShardsEmptied')
  assert.equal(events.length, 1)
  assert.equal(
    scene.kubernetes.find('PodDisruptionBudget', { ...DEMO, name: 'demo-hot-tier' }) !== undefined,
    true,
  )
})

/** The scale-in is refused for want of room, by these words, and none of four shards is marked. */
function lacksRoom(scene: Parameters<typeof conditionOf>[0], words: RegExp): void {
  const refused = conditionOf(scene, 'ScalingDown')
  assert.deepEqual([refused?.status, refused?.reason], ['False', 'InsufficientCapacity'])
  assert.match(refused?.message ?? '', words)
  assert.equal(scene.plane.state.shards, 4)
}

test('fewer shards than the rest has room for: nothing is marked, and the condition says which shard lacks how much', async () => {
  const scene = createScene()
  scene.plane.scene.replicaBytes = 100n
  scene.plane.scene.shardBytesMax = 405n
  const operator = await spread(scene)
  setShards(scene, 2)
  await operator.settle()
  lacksRoom(scene, /Shard 0 would get 2 replicas and need 220 bytes, of which 205 are free/)
  assert.equal(setReplicas(scene), 4)
  assert.equal(statusOf(scene)?.inProgressOperations?.downscale?.[0]?.predicate, 'capacity_for_the_rest')
  scene.plane.scene.shardBytesMax = 1_000n
  await until(scene, operator, 'two shards', () => scene.plane.state.registered.size === 2)
})

test('fewer shards than the volumes of the rest have room for: refused likewise, until they have grown', async () => {
  const scene = createScene()
  scene.plane.scene.replicaBytes = 100n
  scene.plane.scene.volume = { volumeBytesFree: 439n, volumeBytesMax: 1_000n }
  const operator = await spread(scene)
  setShards(scene, 2)
  await operator.settle()
  lacksRoom(
    scene,
    /Shard 0 would get 2 replicas and need 440 bytes of its volume, of which 439 are free; .*storage\.size/,
  )
  scene.plane.scene.volume = { volumeBytesFree: 440n, volumeBytesMax: 1_001n }
  await until(scene, operator, 'two shards', () => scene.plane.state.registered.size === 2)
})

test('flipped back midway: what does not serve yet is undone, no pod goes, and the shards may be used again', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  setShards(scene, 2)
  await until(
    scene,
    operator,
    'moves go on',
    () => rebalanceOf(scene, 'demo-remove-shards')?.status?.state === 'Rebalancing',
  )
  assert.equal(scene.plane.state.shards, 2)
  setShards(scene, 4)
  await untilMovesEnd(scene, operator)
  assert.equal(scene.plane.state.shards, 4)
  assert.equal(setReplicas(scene), 4)
  assert.equal(volumes(scene).length, 4)
  await until(
    scene,
    operator,
    'told',
    () => rebalanceOf(scene, 'demo-remove-shards')?.status?.state === 'Stopped',
  )
  assert.ok((await holdersOf(scene)).every((held) => new Set(held).size === 2))
})

test('a Rebalance that approves itself waits while shards are emptied, and goes on afterwards', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  setShards(scene, 3)
  const isEmptied = () => rebalanceOf(scene, 'demo-remove-shards')?.status?.state === 'Rebalancing'
  await until(scene, operator, 'moves go on', isEmptied)
  scene.kubernetes.create({
    apiVersion: 'truenow.io/v1alpha1',
    kind: 'Rebalance',
    metadata: { ...DEMO, name: 'even' },
    spec: { clusterRef: { name: 'demo' }, mode: 'Full' },
  })
  await operator.settle()
  assert.match(rebalanceOf(scene, 'even')?.status?.message ?? '', /Other replicas have to move first/)
  const isDone = () => ['ProposalReady', 'Ready'].includes(rebalanceOf(scene, 'even')?.status?.state ?? '')
  await until(scene, operator, 'three shards', () => setReplicas(scene) === 3 && isDone())
})

test('a set that somebody lowered by hand is put back while its shards hold replicas', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  scene.kubernetes.edit('StatefulSet', { ...DEMO, name: 'demo-hot-tier' }, (draft) =>
    Object.assign(draft.spec as object, { replicas: 3 }),
  )
  await operator.settle()
  assert.equal(setReplicas(scene), 4)
})

test('paused: nothing is marked, moved or taken away', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  scene.editSpec(
    'TrueNowCluster',
    'demo',
    (spec) => void Object.assign(spec, { hotTier: hotTier(2), paused: true }),
  )
  for (let second = 0; second < 20; second++) {
    await operator.settle()
    scene.advance(1_000)
  }
  assert.equal(scene.plane.state.shards, 4)
  assert.equal(rebalanceOf(scene, 'demo-remove-shards'), undefined)
  assert.equal(conditionOf(scene, 'ScalingDown')?.reason, 'Paused')
})

test('another replication factor: replicas are added, then taken away, without a pod that comes or goes', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  setShards(scene, 4, 3)
  await until(
    scene,
    operator,
    'three replicas',
    () => rebalanceOf(scene, 'demo-repair')?.status?.state === 'Ready',
  )
  assert.ok((await holdersOf(scene)).every((held) => held.length === 3 && new Set(held).size === 3))
  assert.ok(rebalanceOf(scene, 'demo-repair')?.status?.moves?.every(({ from, to }) => from === undefined && to !== undefined)) // biome-ignore format: one line
  setShards(scene, 4, 1)
  await until(
    scene,
    operator,
    'one replica',
    () => [...scene.plane.moves.plans.values()].flat().length >= 4 + 4 + 8,
  )
  await untilMovesEnd(scene, operator)
  assert.ok((await holdersOf(scene)).every((held) => held.length === 1))
  assert.equal(setReplicas(scene), 4)
  setShards(scene, 1, 1)
  await until(scene, operator, 'one shard', () => setReplicas(scene) === 1)
  const plans = [...scene.plane.moves.plans.values()].flat()
  const away = plans.filter(({ from, to }) => from >= 1 && to === 0)
  assert.ok(
    away.length > 0 && away.every(({ reason }) => reason === 'RemoveShards'),
    'each mode has its own moves',
  )
})

test('a shard that is silent for replaceAfter is replaced and retired; before that, and while all are silent, nothing is done', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  const { silent } = scene.plane.moves
  for (const shard of [0, 1, 2, 3]) silent.add(shard)
  const wait = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      await operator.settle()
      scene.advance(1_000)
    }
  }
  await wait(90)
  assert.equal(
    rebalanceOf(scene, 'demo-repair'),
    undefined,
    'all silent: the control plane may be the deaf one',
  )
  for (const shard of [0, 1, 2]) silent.delete(shard)
  await wait(40)
  assert.equal(rebalanceOf(scene, 'demo-repair'), undefined)
  scene.plane.scene.away = true
  await wait(40)
  scene.plane.scene.away = false
  await wait(40)
  assert.equal(rebalanceOf(scene, 'demo-repair'), undefined, 'the count begins anew after a gap')
  await until(scene, operator, 'healed', () => !scene.plane.state.registered.has(3))
  assert.ok((await holdersOf(scene)).every((held) => !held.includes(3) && new Set(held).size === 2))
  assert.ok(
    scene.events().some(({ reason, note }) => reason === 'ShardsRetired' && note.includes('Shards 3 ')),
  )
  await until(scene, operator, 'over', () => rebalanceOf(scene, 'demo-repair')?.status?.state === 'Ready')
})

test('a shard that shall go and is dead: its slots move without it, and it goes all the same', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  scene.plane.moves.silent.add(3)
  setShards(scene, 3)
  await until(scene, operator, 'three shards', () => setReplicas(scene) === 3 && volumes(scene).length === 3)
  assert.ok((await holdersOf(scene)).every((held) => !held.includes(3)))
  await until(scene, operator, 'over', () => statusOf(scene)?.inProgressOperations === undefined)
})

const uidsOfPods = ({ kubernetes }: Scene) =>
  new Map(kubernetes.list('Pod').map(({ metadata }) => [metadata.name, metadata.uid]))
const askForRestart = ({ kubernetes }: Scene) =>
  kubernetes.edit(
    'TrueNowCluster',
    DEMO,
    ({ metadata }) => void Object.assign(metadata as object, { annotations: { 'truenow.io/restart': 'a' } }),
  )
/** Shards whose slots somebody joins or leaves just now. */
const movingShards = async (scene: Scene) => {
  const { catalog } = await scene.plane.operands.controlPlane(DEMO).getPlacement({})
  const slots = (catalog?.tables ?? []).flatMap((table) => table.slots)
  const moving = slots.filter(({ replicas }) => replicas.some(({ state }) => state !== ReplicaState.SERVING))
  return new Set(moving.flatMap(({ replicas }) => replicas.map(({ shard }) => shard)))
}

const movesAreOver = (scene: Scene): boolean =>
  [...scene.plane.moves.plans.values()].flat().every(({ phase }) => phase >= MovePhase.DONE)
const ofRestarts = (scene: Scene) =>
  scene
    .events()
    .filter(({ reason }) => reason === 'ShardRestart')
    .map(({ note }) => /demo-hot-tier-\d/.exec(note)?.[0])

for (const first of ['restart', 'scale-in'] as const)
  test(`every shard restarts and two of them go, ${first} first: neither waits for the other for ever, and both end`, async () => {
    const scene = createScene()
    const operator = await spread(scene)
    const before = uidsOfPods(scene)
    const disturbed: string[] = []
    scene.kubernetes.hooks.around = async ({ verb, kind, name }, work) => {
      if (verb !== 'remove' || kind !== 'Pod') return work()
      if ((await movingShards(scene)).has(Number(name.at(-1)))) disturbed.push(name)
      return work()
    }
    if (first === 'restart') askForRestart(scene)
    setShards(scene, 2)
    if (first === 'scale-in') {
      await until(scene, operator, 'marked', () => scene.plane.state.shards === 2)
      askForRestart(scene)
    }
    await until(scene, operator, 'both are over', () => {
      const now = uidsOfPods(scene)
      return now.size === 2 && [...now].every(([name, uid]) => before.get(name) !== uid)
    })
    await until(scene, operator, 'told', () => statusOf(scene)?.inProgressOperations === undefined)
    assert.deepEqual(disturbed, [], 'restarted while their slots moved')
    assert.equal(setReplicas(scene), 2)
    assert.deepEqual(volumes(scene), ['data-demo-hot-tier-0', 'data-demo-hot-tier-1'])
    assert.ok((await holdersOf(scene)).every((held) => held.join() === '0,1'))
    assert.equal(conditionOf(scene, 'Ready')?.status, 'True')
  })

test('while a restarted shard reads what it missed, no scale-in begins; afterwards it does', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  scene.plane.scene.behind.add(3)
  askForRestart(scene)
  setShards(scene, 2)
  await until(scene, operator, 'the first restart', () => ofRestarts(scene).length === 1)
  for (let second = 0; second < 20; second++) {
    await operator.settle()
    scene.advance(1_000)
  }
  assert.deepEqual(ofRestarts(scene), ['demo-hot-tier-3'])
  assert.equal(scene.plane.state.shards, 4)
  const { upgrade, downscale } = statusOf(scene)?.inProgressOperations ?? {}
  assert.equal(upgrade?.predicate, 'restarted_shards_caught_up')
  assert.deepEqual(downscale?.map(({ predicate }) => predicate), ['no_shard_restarts', 'no_shard_restarts']) // biome-ignore format: one line
  assert.deepEqual(
    [conditionOf(scene, 'ScalingDown')?.status, conditionOf(scene, 'ScalingDown')?.reason],
    ['True', 'Restarting'],
  )
  scene.plane.scene.behind.clear()
  await until(scene, operator, 'two shards', () => scene.plane.state.registered.size === 2)
})

test('shards that are empty keep their pods while another restarts and reads; afterwards they go', async () => {
  const scene = createScene()
  const operator = await spread(scene)
  setShards(scene, 2)
  await until(scene, operator, 'marked', () => scene.plane.state.shards === 2)
  // They do not say yet that they are empty.
  for (const shard of [2, 3]) scene.plane.scene.unheard.add(shard)
  scene.plane.scene.behind.add(1)
  askForRestart(scene)
  await until(scene, operator, 'shard 1 restarts, all moves over', () => ofRestarts(scene).includes('demo-hot-tier-1') && movesAreOver(scene)) // biome-ignore format: one line
  scene.plane.scene.unheard.clear()
  for (let second = 0; second < 10; second++) {
    await operator.settle()
    scene.advance(1_000)
  }
  assert.equal(setReplicas(scene), 4)
  const { downscale } = statusOf(scene)?.inProgressOperations ?? {}
  assert.deepEqual(downscale?.map(({ predicate }) => predicate), ['no_shard_restarts', 'no_shard_restarts']) // biome-ignore format: one line
  scene.plane.scene.behind.clear()
  await until(scene, operator, 'two shards', () => scene.plane.state.registered.size === 2)
  assert.equal(setReplicas(scene), 2)
})

for (const refused of [false, true])
  test(`volumes shall grow while shards go${refused ? ', and may not' : ''}: the set has every pod that holds something still`, async () => {
    const scene = createScene()
    const operator = await spread(scene)
    const set = () => scene.kubernetes.find('StatefulSet', { ...DEMO, name: 'demo-hot-tier' })
    const uid = set()?.metadata.uid
    scene.kubernetes.hooks.around = ({ verb, kind }, work) => {
      if (refused && verb === 'mergePatch' && kind === 'PersistentVolumeClaim')
        throw new KubernetesError('no class allows it', { status: 403, reason: 'Forbidden' })
      return work()
    }
    scene.editSpec(
      'TrueNowCluster',
      'demo',
      (spec) => void Object.assign(spec, { hotTier: { ...hotTier(2), storage: { size: '5Gi' } } }),
    )
    await until(scene, operator, 'two shards', () => {
      assert.ok(
        (setReplicas(scene) ?? 4) === 4 || movesAreOver(scene),
        'no pod goes before every move is over',
      )
      return scene.plane.state.registered.size === 2
    })
    assert.equal(set()?.metadata.uid === uid, refused)
    const size = JSON.stringify(set()?.spec).includes('"storage":"5Gi"')
    assert.deepEqual([setReplicas(scene), size], [2, !refused])
    assert.deepEqual(volumes(scene), ['data-demo-hot-tier-0', 'data-demo-hot-tier-1'])
  })

/** Lets `last` writes happen; then nothing that this operator asks is answered any more. */
function dieAfter(scene: Scene, last: number, answered: boolean): { writes: number; dead: boolean } {
  const count = { writes: 0, dead: false }
  const around = <Answer>(isWrite: boolean, work: () => Answer): Answer => {
    if (count.dead) throw new Error('killed')
    if (!isWrite) return work()
    count.writes += 1
    if (count.writes < last) return work()
    count.dead = true
    if (answered) return work()
    throw new Error('killed before it was sent')
  }
  scene.kubernetes.hooks.around = ({ verb }, work) =>
    around(['apply', 'mergePatch', 'create', 'replace', 'remove'].includes(verb), work)
  scene.plane.hooks.around = (_call, work) => around(true, work)
  return count
}

const live = (scene: Scene) => {
  scene.kubernetes.hooks.around = (_call, work) => work()
  scene.plane.hooks.around = (_call, work) => work()
}

type Story = Readonly<{
  name: string
  /** From a cluster of four shards. */
  begin: (scene: Scene, operator: Operator) => Promise<void>
  isOver: (scene: Scene) => boolean
  stands: (held: readonly number[]) => boolean
}>
const STORIES: readonly Story[] = [
  {
    name: 'a scale-in',
    begin: async (scene) => void setShards(scene, 2),
    isOver: (scene) =>
      setReplicas(scene) === 2 &&
      volumes(scene).length === 2 &&
      scene.plane.state.registered.size === 2 &&
      statusOf(scene)?.inProgressOperations === undefined,
    stands: (held) => held.join() === '0,1',
  },
  {
    name: 'a scale-in that is flipped back',
    begin: async (scene, operator) => {
      setShards(scene, 2)
      const isMoving = () => rebalanceOf(scene, 'demo-remove-shards')?.status?.state === 'Rebalancing'
      await until(scene, operator, 'moves go on', isMoving)
      setShards(scene, 4)
    },
    isOver: (scene) =>
      scene.plane.state.shards === 4 &&
      setReplicas(scene) === 4 &&
      movesAreOver(scene) &&
      rebalanceOf(scene, 'demo-remove-shards')?.status?.state === 'Stopped',
    stands: (held) => new Set(held).size === 2,
  },
  {
    name: 'another replication factor',
    begin: async (scene) => void setShards(scene, 4, 3),
    isOver: (scene) => rebalanceOf(scene, 'demo-repair')?.status?.state === 'Ready' && movesAreOver(scene),
    stands: (held) => new Set(held).size === 3,
  },
]

for (const { name, begin, isOver, stands } of STORIES)
  test(`the operator dies at every single write of ${name}, before it is sent and after; another one ends it all the same`, async () => {
    /** Runs until dead or over. */
    const run = async (scene: Scene, operator: Operator, count: { dead: boolean }) => {
      for (let second = 0; second < SECONDS_MAX && !count.dead; second++) {
        await operator.settle()
        if (isOver(scene)) return
        scene.advance(1_000)
      }
    }
    const prepared = async () => {
      const scene = createScene()
      await begin(scene, await spread(scene))
      return scene
    }
    const whole = await prepared()
    const counted = dieAfter(whole, Number.POSITIVE_INFINITY, true)
    await run(whole, whole.operator(), counted)
    assert.ok(isOver(whole))
    assert.ok(counted.writes > 20, `${counted.writes} writes`)
    for (let last = 1; last <= counted.writes; last++) {
      const scene = await prepared()
      const count = dieAfter(scene, last, last % 2 === 0)
      await run(scene, scene.operator(), count)
      live(scene)
      const other = scene.operator({ term: 1 })
      await until(scene, other, `over after a death at write ${last}`, () => isOver(scene))
      assert.ok((await holdersOf(scene)).every(stands), `write ${last}`)
    }
  })
