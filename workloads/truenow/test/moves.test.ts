import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { Catalog, MovePhase } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { QueryAnswer } from '@truenow/contracts/query-statement.ts'
import { type Dev, startDev } from '../src/start-dev.ts'

/*
 * Slots change their shards while real roles take events and answer. Whoever writes knows what was written, so every single
 * answer is compared with a recount: none may be wrong, none partial.
 */
const SHARDS = 3
const REPLICATION_FACTOR = 2
const STEP_MS = 100
const ENDED_MS_MAX = 120_000
const ENDED: readonly MovePhase[] = [MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED]

let dev: Dev
let directory: string
let catalog: ReturnType<typeof createGrpcClient<typeof Catalog>>
const lines: string[] = []
const startUs = Date.now() * 1_000 - 600_000_000
const written: Record<string, number> = {}
const total = { events: 0, revenue: 0 }

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'truenow-moves-'))
  dev = await startDev({
    portBase: 0,
    dataDirectory: directory,
    version: '0.0.0-test',
    onStep: () => {},
    shards: SHARDS,
    replicationFactor: REPLICATION_FACTOR,
    log: { level: 'INFO', destination: { write: (line) => lines.push(line) } },
  })
  catalog = createGrpcClient(Catalog, dev.controlPlane)
})
after(async () => {
  catalog?.close()
  await dev?.close()
  await rm(directory, { recursive: true, force: true })
})

async function post(count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => {
    const n = total.events + index
    return {
      event_id: `event-${n}`,
      event_time_us: startUs + ((n * 7_919) % 500_000) * 1_000,
      region: ['us-east', 'us-west', 'eu', 'ap'][n % 4],
      product: 'widget',
      user_id: `u${n % 101}`,
      revenue: (n % 400) / 4,
      items: n % 7,
    }
  })
  const response = await fetch(`http://${dev.gateway}/v1/namespaces/production/tables/events/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  const { positions } = JSON.parse(text) as { positions: Record<string, number> }
  for (const [slot, offset] of Object.entries(positions))
    written[slot] = Math.max(written[slot] ?? -1, offset)
  total.events += count
  total.revenue += events.reduce((sum, { revenue }) => sum + revenue, 0)
}

async function assertEqualsRecount(): Promise<void> {
  const response = await fetch(`http://${dev.query}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      start_time: startUs,
      end_time: startUs + 700_000_000,
      namespace: 'production',
      table: 'events',
      at_least: written,
      aggregates: [
        { aggregate: 'count', as: 'events' },
        { aggregate: 'sum', metric: 'revenue', as: 'revenue' },
      ],
    }),
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  const answer = JSON.parse(text) as QueryAnswer
  assert.equal(answer.partial, false, text)
  assert.deepEqual(answer.rows, [total])
}

/** Writes and asks, one after the other, until `over`; answers how many answers were right. */
async function load(over: AbortSignal): Promise<number> {
  let answers = 0
  while (!over.aborted) {
    await post(40)
    await Promise.all([assertEqualsRecount(), assertEqualsRecount()])
    answers += 2
  }
  return answers
}

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
  await post(2_000)
  const over = new AbortController()
  const loading = load(over.signal)
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
  const loading = load(over.signal)
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
  await assertEqualsRecount()
  assert.deepEqual(
    lines.filter((line) => line.includes('"level":"ERROR"')),
    [],
  )
})
