import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { planRepair, type RepairMove } from '@truenow/operator/plan-repair.ts'
import { proposeBalance } from '@truenow/operator/propose-rebalance.ts'
import { proveEmpty } from '@truenow/operator/prove-empty.ts'
import { whyNotScaleIn } from '@truenow/operator/why-not-scale-in.ts'
import { type CountedDev, ENDED, startCountedDev } from './start-counted-dev.ts'

/*
 * Shards come and go while real roles take events and answer. The test does what the operator does, by the operator's own
 * plans and proofs; what is stopped and emptied here are pods and volumes there.
 */
const STEP_MS = 100
const ENDED_MS_MAX = 120_000

let world: CountedDev
let dev: CountedDev['dev']
let catalog: CountedDev['catalog']
let load: CountedDev['load']
let leaderEpoch: bigint
let plans = 0

before(async () => {
  world = await startCountedDev(2, { level: 'ERROR', destination: { write: () => {} } })
  ;({ dev, catalog, load } = world)
  const term = { operator: 'test/test', holder: 'a', leaseTransitions: 1n }
  leaderEpoch = (await catalog.grantLeader(term)).leaderEpoch
})
after(() => world?.close())

const declare = (shards: number, replicationFactor = 2, shrink = false) =>
  catalog.putCluster({ generation: 1n, shards, replicationFactor, shrink, leaderEpoch })
const placement = () => catalog.getPlacement({})

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + ENDED_MS_MAX
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `not in ${ENDED_MS_MAX} ms: ${what}`)
    await delay(STEP_MS)
  }
}

/** The leader's part, until every move of a plan is over. */
async function make(moves: readonly RepairMove[], reason: string): Promise<void> {
  const planId = `plan-${++plans}`
  const planned = moves.map(({ table, bytes, ...move }) => {
    const [namespace = '', name = ''] = table.split('.')
    return { ...move, table: { namespace, name }, bytes: BigInt(bytes) }
  })
  await catalog.planMoves({ leaderEpoch, planId, reason, askedBy: 'test', moves: planned })
  await catalog.approveMoves({ leaderEpoch, planId })
  await eventually(`${reason} is over`, async () => {
    const { moves: now } = await catalog.advanceMoves({ leaderEpoch, planId, concurrentMoves: 8 })
    return now.every(({ phase }) => ENDED.includes(phase))
  })
}

/** Rounds of moves until nothing is missing any more. */
async function repair(reason: string, lost: readonly number[] = []): Promise<void> {
  await eventually(`nothing is missing (${reason})`, async () => {
    const now = await placement()
    const { shardCount = 0, replicationFactor = 0 } = now.catalog ?? {}
    const { moves } = planRepair(now, {
      shardCount,
      replicationFactor,
      drained: new Set<number>(),
      lost: new Set(lost),
    })
    if (moves.length > 0) await make(moves, reason)
    return moves.length === 0
  })
}

async function assertStands(shards: readonly number[], replicationFactor: number): Promise<void> {
  for (const { slots } of (await placement()).catalog?.tables ?? [])
    for (const { replicas } of slots) {
      assert.equal(replicas.length, replicationFactor)
      assert.ok(
        replicas.every(({ shard, state }) => shards.includes(shard) && state === ReplicaState.SERVING),
      )
    }
}

/** Runs `work` while events are written and questions asked; no answer may be wrong, none partial. */
async function underLoad(work: () => Promise<void>): Promise<void> {
  const over = new AbortController()
  const loading = load.run(over.signal)
  loading.catch(() => {})
  try {
    await work()
  } finally {
    over.abort()
  }
  const answers = await loading
  assert.ok(answers > 10, `only ${answers} answers came meanwhile`)
}

test('two shards become four and two again, under writes and queries; no answer is wrong or partial', async () => {
  await load.post(2_000)
  await underLoad(async () => {
    await declare(4)
    await Promise.all([dev.startShard(2, 'empty'), dev.startShard(3, 'empty')])
    await eventually('four shards report', async () => {
      const { catalog: now, silentShards } = await placement()
      return now?.shards.length === 4 && silentShards.length === 0
    })
    const { all } = proposeBalance(await placement())
    assert.ok(all.length >= 4, `${all.length} moves even two full shards and two empty ones`)
    await make(all, 'Balance')
    await assertStands([0, 1, 2, 3], 2)
    const goal = { shardCount: 2, replicationFactor: 2, drained: new Set<number>(), lost: new Set<number>() }
    assert.equal(whyNotScaleIn(await placement(), goal), undefined)
    await declare(2, 2, true)
    await repair('RemoveShards')
    for (const shard of [3, 2]) {
      await eventually(
        `shard ${shard} says that it is empty`,
        async () => proveEmpty(await placement(), shard).kind === 'Proof',
      )
      await dev.stopShard(shard)
    }
    await catalog.retireShards({ leaderEpoch, shards: [2, 3] })
  })
  await assertStands([0, 1], 2)
  assert.deepEqual(
    (await placement()).catalog?.shards.map(({ shard }) => shard),
    [0, 1],
  )
})

test('a volume that was kept of a retired shard is not trusted: it comes back empty, under another incarnation', async () => {
  const before = (await placement()).catalog?.shards.map(({ incarnation }) => incarnation) ?? []
  await declare(3)
  await dev.startShard(2, 'kept')
  await eventually('the third shard reports', async () =>
    (await placement()).loads.some(({ shard }) => shard === 2),
  )
  const { loads, catalog: now } = await placement()
  const back = now?.shards.find(({ shard }) => shard === 2)
  assert.ok((back?.incarnation ?? 0n) > 4n && !before.includes(back?.incarnation ?? 0n))
  assert.deepEqual(loads.find(({ shard }) => shard === 2)?.slots, [])
})

test('three replicas, then two again, under writes and queries', async () => {
  await underLoad(async () => {
    await declare(3, 3)
    await repair('Repair')
    await assertStands([0, 1, 2], 3)
    await declare(3, 2)
    await repair('Repair')
    await assertStands([0, 1, 2], 2)
  })
})

test('a shard that does not come back: its replicas are made anew on the others, under writes and queries', async () => {
  const holders = (shard: number) => async () => {
    const { catalog: now } = await placement()
    return (now?.tables ?? []).flatMap(({ slots }) => slots).filter(({ replicas }) => replicas.some((one) => one.shard === shard)).length // biome-ignore format: one line
  }
  assert.ok((await holders(1)()) > 0)
  await dev.stopShard(1)
  await eventually('it is called silent', async () => (await placement()).silentShards.includes(1))
  await underLoad(async () => {
    const planned = planRepair(await placement(), {
      shardCount: 3,
      replicationFactor: 2,
      drained: new Set<number>(),
      lost: new Set([1]),
    })
    const moving = make(planned.moves, 'Repair')
    await eventually('nothing stands on it', async () => (await holders(1)()) === 0)
    await catalog.retireShards({ leaderEpoch, shards: [1] })
    await moving
  })
  await assertStands([0, 2], 2)
  await load.assertEqualsRecount()
})
