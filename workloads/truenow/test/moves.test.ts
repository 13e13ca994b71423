import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { type CountedDev, ENDED, startCountedDev } from './start-counted-dev.ts'

/* Slots change their shards while real roles take events and answer: no answer may be wrong, none partial. */
const SHARDS = 3
const REPLICATION_FACTOR = 2
const STEP_MS = 100
const ENDED_MS_MAX = 120_000

let world: CountedDev
let dev: CountedDev['dev']
let catalog: CountedDev['catalog']
let load: CountedDev['load']
const lines: string[] = []

before(async () => {
  world = await startCountedDev(SHARDS, { level: 'INFO', destination: { write: (line) => lines.push(line) } })
  ;({ dev, catalog, load } = world)
})
after(() => world?.close())

async function placement() {
  const { catalog: snapshot } = await catalog.getPlacement({})
  return snapshot?.tables[0]?.slots ?? []
}

/** One move a slot, away from its last holder to the shard that holds none. */
async function planned() {
  return (await placement()).map(({ slot, replicas }) => {
    const holders = replicas.map(({ shard }) => shard)
    const to = [0, 1, 2].find((shard) => !holders.includes(shard)) ?? -1
    return { table: { namespace: 'production', name: 'events' }, slot, from: holders.at(-1) ?? -1, to }
  })
}

/** The leader's part, until every move is over. `between` may do harm after each step. */
async function drive(
  leaderEpoch: bigint,
  planId: string,
  between: (phases: readonly MovePhase[]) => Promise<void> = async () => {},
): Promise<readonly MovePhase[]> {
  const moves = await planned()
  await catalog.planMoves({ leaderEpoch, planId, reason: 'Balance', askedBy: 'test', moves })
  await catalog.approveMoves({ leaderEpoch, planId })
  const endMs = performance.now() + ENDED_MS_MAX
  for (;;) {
    const { moves: now } = await catalog.advanceMoves({ leaderEpoch, planId, concurrentMoves: 4 })
    const phases = now.map(({ phase }) => phase)
    if (phases.every((phase) => ENDED.includes(phase))) return phases
    assert.ok(performance.now() < endMs, now.map(({ phase, message }) => `${phase}: ${message}`).join('; '))
    await between(phases)
    await delay(STEP_MS)
  }
}

async function assertWhole(): Promise<void> {
  for (const { slot, replicas } of await placement()) {
    const serving = replicas.filter(({ state }) => state === ReplicaState.SERVING).length
    assert.deepEqual([slot, replicas.length, serving], [slot, REPLICATION_FACTOR, REPLICATION_FACTOR])
  }
}

/** Not dev's own `whenServing`: that declares, and the catalog obeys the leader of these tests by now. */
async function untilWhole(): Promise<void> {
  const endMs = performance.now() + ENDED_MS_MAX
  for (;;) {
    try {
      return await assertWhole()
    } catch (error) {
      if (performance.now() > endMs) throw error
      await delay(STEP_MS)
    }
  }
}

test('moves: every slot changes a shard, there and back, under writes and queries; no answer is wrong or partial', async () => {
  const { leaderEpoch } = await catalog.grantLeader({
    operator: 'test/test',
    holder: 'a',
    leaseTransitions: 1n,
  })
  await load.post(2_000)
  const over = new AbortController()
  const loading = load.run(over.signal)
  loading.catch(() => over.abort())
  const before = await placement()
  for (const planId of ['there', 'back']) {
    const phases = await drive(leaderEpoch, planId)
    assert.ok(phases.length > 0 && phases.every((phase) => phase === MovePhase.DONE), String(phases))
    await assertWhole()
  }
  over.abort()
  const answers = await loading
  assert.ok(answers > 20, `only ${answers} answers came while slots moved`)
  const epochs = (slots: typeof before) => slots.map(({ epoch }) => epoch)
  const grown = epochs(await placement()).every((epoch, slot) => epoch > (epochs(before)[slot] ?? 0n))
  assert.ok(grown, 'every slot has a greater epoch')
})

test('moves: the receiver loses its volume on the way; nothing is lost, and the moves end all the same', async () => {
  const { leaderEpoch } = await catalog.grantLeader({
    operator: 'test/test',
    holder: 'b',
    leaseTransitions: 2n,
  })
  const over = new AbortController()
  const loading = load.run(over.signal)
  loading.catch(() => over.abort())
  const victim = (await planned())[0]?.to ?? 0
  let hurt = false
  const phases = await drive(leaderEpoch, 'hurt', async (now) => {
    if (hurt || !now.includes(MovePhase.BOOTSTRAPPING)) return
    hurt = true
    await dev.stopShard(victim)
    await dev.startShard(victim, 'empty')
  })
  assert.ok(hurt && phases.every((phase) => phase === MovePhase.DONE), String(phases))
  await untilWhole()
  over.abort()
  await loading
  await load.assertEqualsRecount()
  assert.deepEqual(
    lines.filter((line) => line.includes('"level":"ERROR"')),
    [],
  )
})
