import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  AggregateFunction,
  PlanSchema,
  ReplicaState,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import { decodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Gathering } from '../src/ask-slots.ts'
import { createQueryMetrics } from '../src/metrics.ts'
import { createSlotReader } from '../src/read-slots.ts'
import { createCluster } from './cluster.ts'

const SLOTS = [0, 1, 2, 3]
const ROWS_A_SLOT = [3, 5, 7, 11]
const plan = create(PlanSchema, {
  tableVersion: 1,
  startUs: 0n,
  endUs: 1_000_000n,
  shape: {
    case: 'aggregate',
    value: { aggregates: [{ function: AggregateFunction.COUNT, column: '' }], groupsMax: 10 },
  },
})
const rowsOf = (slot: number) =>
  Array.from({ length: ROWS_A_SLOT[slot] ?? 0 }, (_, at) => ({
    event_id: `${slot}-${at}`,
    event_time_us: at,
  }))
const never = () => new Promise(() => {})

function scene(options: Omit<NonNullable<Parameters<typeof createCluster>[0]>, 'rowsOf'> = {}) {
  const cluster = createCluster({ ...options, rowsOf })
  const metrics = createQueryMetrics(cluster.context.registry)
  const reader = createSlotReader(cluster.ports, cluster.config, systemClock, metrics)
  const ask = (more: { atLeast?: Record<number, number>; timeoutMs?: number; signal?: AbortSignal } = {}) => {
    const table = cluster.catalog.client.current()?.table('production', 'events') as TableView
    const atLeast = new Map(Object.entries(more.atLeast ?? {}).map(([slot, at]) => [Number(slot), at]))
    const deadlineMs = systemClock.monotonicMs() + (more.timeoutMs ?? 2_000)
    return reader.read(table, plan, atLeast, deadlineMs, more.signal ?? new AbortController().signal)
  }
  const noted = async (event: string) =>
    (await metrics.shardRequests.get()).values.find(({ labels }) => labels.event === event)?.value ?? 0
  return { ...cluster, ask, noted }
}
/** The rows that the parts hold together: a slot counted twice or not at all shows. */
const counted = ({ parts }: Gathering) =>
  parts.reduce((sum, { batch }) => {
    const [counts] = decodeColumnBatch(batch).columns
    return sum + (counts === undefined ? 0 : (valueAt(counts.column, 0) as number))
  }, 0)
const slotsOf = (gathering: Gathering) => gathering.cuts.map(({ slot }) => slot)
const whole = (gathering: Gathering) => {
  assert.deepEqual(slotsOf(gathering), SLOTS)
  assert.deepEqual(gathering.missing, [])
  assert.equal(counted(gathering), 26)
}

test('askSlots: every slot once, spread over the shards', async () => {
  const { ask, shards } = scene()
  const gathering = await ask()
  whole(gathering)
  assert.deepEqual(
    shards.map(({ requests }) => requests.map(({ slots }) => slots.length)),
    [[2], [2]],
  )
  assert.deepEqual([gathering.regressed, gathering.shardsAsked.size], [false, 2])
})

test('askSlots: a failed shard is replaced at once, and not asked again for a while', async () => {
  const { ask, shard } = scene()
  shard(0).fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'reset'))
  whole(await ask())
  const before = shard(0).requests.length
  whole(await ask())
  assert.equal(shard(0).requests.length, before)
})

test('askSlots: the answer of a leaving shard is taken, and it is asked no more while another can answer', async () => {
  const { ask, shard } = scene()
  shard(0).lie = (response) => ({ ...response, leaving: true })
  whole(await ask())
  const before = shard(0).requests.length
  for (let statement = 0; statement < 10; statement++) whole(await ask())
  assert.equal(shard(0).requests.length, before)
  shard(1).fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'reset'))
  whole(await ask())
  assert.ok(shard(0).requests.length > before, 'in need it is asked')
})

test('askSlots: a paused shard is hedged; what it was asked is cancelled', async () => {
  const { ask, shard, noted } = scene()
  shard(0).fault = never
  const startedMs = performance.now()
  whole(await ask())
  assert.ok(performance.now() - startedMs < 1_000)
  assert.equal(shard(0).aborted, 1)
  assert.deepEqual([await noted('hedged'), await noted('overtaken')], [1, 1])
})

test('askSlots: a slow shard that answers before its hedge is counted once', async () => {
  const { ask, shard } = scene({ shards: 3 })
  shard(0).fault = () => new Promise((resolve) => setTimeout(resolve, 60))
  for (const other of [1, 2]) {
    shard(other).fault = ({ slots }) => (slots.some(({ slot }) => slot % 3 === 0) ? never() : undefined)
  }
  whole(await ask())
})

test('askSlots: hedges are bounded', async () => {
  const { ask, shard, noted } = scene({ settings: { TRUENOW_QUERY_HEDGES_MAX: '0' } })
  shard(0).fault = never
  const { missing } = await ask({ timeoutMs: 150 })
  assert.equal(missing.length, 2)
  assert.equal(await noted('hedged'), 0)
})

test('askSlots: both replicas paused: the deadline holds and says why', async () => {
  const { ask, shard } = scene()
  shard(0).fault = never
  shard(1).fault = never
  const startedMs = performance.now()
  const { missing, cuts } = await ask({ timeoutMs: 200 })
  assert.ok(performance.now() - startedMs < 1_000)
  assert.deepEqual([missing.length, cuts.length], [4, 0])
  assert.match(missing[0]?.reason ?? '', /shard \d: DEADLINE_EXCEEDED/)
})

test('askSlots: every replica down: missing, each with its reason', async () => {
  const { ask, shards } = scene()
  for (const each of shards)
    each.fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'refused'))
  const { missing, parts } = await ask()
  assert.deepEqual(parts, [])
  assert.deepEqual(
    missing.map(({ slot }) => slot),
    SLOTS,
  )
  for (const { reason } of missing) assert.match(reason, /shard \d: refused/)
})

test('askSlots: a slot without a serving replica is missing, the others are not', async () => {
  const { ask, catalog, snapshot } = scene()
  const tables = structuredClone(snapshot.tables)
  Object.assign(tables[0]?.slots[2] ?? {}, {
    replicas: [0, 1].map((shard) => ({ shard, incarnation: 1n, state: ReplicaState.JOINING })),
  })
  catalog.set({ ...snapshot, revision: 2n, tables })
  const gathering = await ask()
  assert.deepEqual(gathering.missing, [{ slot: 2, reason: 'no serving replica (2 joining)' }])
  assert.equal(counted(gathering), 19)
})

test('askSlots: a slot that its shard refuses is asked elsewhere, alone', async () => {
  const { ask, shard } = scene()
  for (const slot of SLOTS)
    (shard(0).replicas.get(slot) as { status?: SlotStatus }).status = SlotStatus.NOT_SERVING
  whole(await ask())
  assert.equal(shard(1).requests.length, 2)
})

test('askSlots: a stale epoch is asked again with the map of the refusal', async () => {
  const { ask, shards, noted } = scene({ shards: 3 })
  // Slot 0 has moved to shard 2 alone under epoch 9; the catalog of this process does not know yet.
  const moved = shards[0]?.replicas.get(0)
  assert.ok(moved)
  for (const ordinal of [0, 1, 2]) {
    shards[ordinal]?.replicas.set(0, {
      ...moved,
      epoch: 9n,
      shards: [2],
      ...(ordinal === 2 ? {} : { status: SlotStatus.NOT_SERVING }),
    })
  }
  whole(await ask())
  assert.equal(await noted('map_retried'), 1)
})

test('askSlots: maps that never end are given up', async () => {
  const { ask, shards } = scene()
  let epoch = 10n
  for (const each of shards) {
    each.fault = () => {
      const replica = each.replicas.get(0)
      if (replica !== undefined) replica.epoch = epoch++
    }
  }
  const { missing, cuts } = await ask()
  assert.deepEqual(
    missing.map(({ slot }) => slot),
    [0],
  )
  assert.match(missing[0]?.reason ?? '', /STALE_EPOCH/)
  assert.equal(cuts.length, 3)
  assert.ok(shards.reduce((sum, { requests }) => sum + requests.length, 0) < 20)
})

type Answers = { slot: number; epoch: bigint; incarnation: bigint }[]
const change = (part: Partial<Answers[number]>) => (answers: Answers) => Object.assign(answers[0] ?? {}, part)
const lies: ReadonlyArray<[name: string, lie: (answers: Answers) => unknown]> = [
  ['an older epoch', change({ epoch: 0n })],
  ['another incarnation', change({ incarnation: 8n })],
  ['a slot too few', (answers) => answers.pop()],
  ['a slot twice', (answers) => answers[0] && answers.push(answers[0])],
  ['a slot that nobody asked for', change({ slot: 99 })],
]
for (const [name, lie] of lies) {
  test(`askSlots: an answer with ${name} is not counted`, async () => {
    const { ask, shard, noted } = scene()
    shard(0).lie = (response) => {
      lie(response.slots)
      return response
    }
    const gathering = await ask()
    whole(gathering)
    assert.ok(gathering.cuts.every((cut) => cut.shard === 1))
    assert.equal(await noted('refused'), 1)
  })
}

test('askSlots: a shard that was paused while its slots went elsewhere is not counted', async () => {
  const { ask, shard, catalog, snapshot } = scene()
  shard(0).fault = () => {
    const tables = structuredClone(snapshot.tables)
    for (const slot of tables[0]?.slots ?? []) {
      slot.epoch = 2n
      slot.replicas = [{ shard: 1, incarnation: 1n, state: ReplicaState.SERVING }]
    }
    catalog.set({ ...snapshot, revision: 2n, tables })
  }
  const gathering = await ask()
  whole(gathering)
  assert.ok(gathering.cuts.every((cut) => cut.shard === 1))
})

test('askSlots: a replica behind what was served is passed over; if all are, the answer says regressed', async () => {
  const { ask, shards, shard, noted } = scene()
  whole(await ask())
  for (const replica of shard(0).replicas.values()) replica.offset -= 1
  const elsewhere = await ask()
  whole(elsewhere)
  assert.equal(elsewhere.regressed, false)
  assert.ok(elsewhere.cuts.every((cut) => cut.shard === 1))
  assert.ok((await noted('behind')) > 0)
  for (const each of shards) each.fault = () => undefined
  for (const replica of shard(1).replicas.values()) replica.offset -= 1
  const behind = await ask()
  whole(behind)
  assert.equal(behind.regressed, true)
})

test('askSlots: at_least is met or the slot is missing', async () => {
  const { ask } = scene()
  whole(await ask({ atLeast: { 0: 2, 3: 10 } }))
  const { missing, cuts } = await ask({ atLeast: { 0: 3 } })
  assert.deepEqual(
    missing.map(({ slot }) => slot),
    [0],
  )
  assert.match(missing[0]?.reason ?? '', /BEHIND/)
  assert.equal(cuts.length, 3)
})

test('askSlots: the fault of the statement itself is thrown, and nobody goes on working', async () => {
  const { ask, shard } = scene()
  shard(0).fault = () => Promise.reject(new TrueNowError('TN_QUERY_LIMIT', 'too many groups'))
  shard(1).fault = never
  await assert.rejects(ask(), { code: 'TN_QUERY_LIMIT' })
  assert.equal(shard(1).aborted, 1)
})

test('askSlots: whoever asked goes away: shards stop at once', async () => {
  const { ask, shards } = scene()
  for (const each of shards) each.fault = never
  const gone = new AbortController()
  const asking = ask({ signal: gone.signal })
  await new Promise((resolve) => setImmediate(resolve))
  gone.abort(new Error('gone'))
  const startedMs = performance.now()
  await assert.rejects(asking, /gone/)
  assert.ok(performance.now() - startedMs < 100)
  assert.deepEqual(
    shards.map(({ aborted }) => aborted),
    [1, 1],
  )
})
