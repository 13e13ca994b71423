import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AggregateFunction,
  CompareOperator,
  PlanSchema,
  ReplicaState,
  type SlotRequestSchema,
  SlotStatus,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { FinalValue } from '@truenow/kernels/plan/finalize-aggregate.ts'
import { finalizePartial } from '@truenow/kernels/plan/finalize-partial.ts'
import type { LogRow } from '@truenow/kernels/replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { readIdentity } from '../src/volume-identity.ts'
import { createFaultyDisk } from './faulty-disk.ts'
import {
  createCatalogInHand,
  createFakeControlPlane,
  definition,
  SlotLog,
  startShardScene,
  until,
  WORKERS,
} from './shard-scene.ts'

const { OK, STALE_EPOCH, NOT_SERVING, BEHIND, STALLED } = SlotStatus
const { COUNT, SUM, MIN, MAX, AVG } = AggregateFunction
type Scene = Awaited<ReturnType<typeof startShardScene>>
type Asked = MessageInitShape<typeof SlotRequestSchema>
type PlanInit = MessageInitShape<typeof PlanSchema>

const row = (
  id: string,
  timeUs: number,
  region: string | null,
  items: number,
  revenue: number | null,
): LogRow => ({
  id,
  timeUs: LOG_START_US + timeUs,
  values: [region, items, revenue, null],
})
const aggregates = [
  { function: COUNT, column: '' },
  { function: COUNT, column: 'revenue' },
  { function: SUM, column: 'items' },
  { function: SUM, column: 'revenue' },
  { function: MIN, column: 'revenue' },
  { function: MAX, column: 'region' },
  { function: AVG, column: 'items' },
]
const counting: NonNullable<PlanInit['shape']> = {
  case: 'aggregate',
  value: { aggregates: [{ function: COUNT, column: '' }] },
}
/** Asks shard 0 for both slots, or those given; answers final rows and how each slot was judged. */
async function ask({ client }: Scene, plan: PlanInit, slots: readonly Asked[] = [{ slot: 0 }, { slot: 1 }]) {
  const whole = create(PlanSchema, {
    tableVersion: 1,
    startUs: 0n,
    endUs: BigInt(LOG_START_US) * 2n,
    atLeastWaitUs: 10_000_000n,
    ...plan,
  })
  const response = await client.executePartial({
    table: { namespace: 'production', name: 'events' },
    slots: slots.map((slot) => ({ epoch: 5n, incarnation: 1n, shards: [0], atLeastOffset: -1n, ...slot })),
    plan: whole,
  })
  const rows: FinalValue[][] = []
  if (response.batch.length > 0) {
    const final = finalizePartial(whole, definition, decodeColumnBatch(response.batch))
    for (let at = 0; at < final.rowCount; at++)
      rows.push(Array.from({ length: final.columnCount }, (_, column) => final.value(at, column)))
  }
  return { ...response, rows, statuses: response.slots.map(({ status }) => status) }
}
const upTo = (scene: Scene): Asked[] =>
  scene.logs.map(({ events }, slot) => ({ slot, atLeastOffset: BigInt(events.length - 1) }))
const count = async (scene: Scene) => (await ask(scene, { shape: counting }, upTo(scene))).rows
/** A scene that is closed whatever happens. */
async function within(
  options: Parameters<typeof startShardScene>[0],
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scene = await startShardScene(options)
  try {
    await body(scene)
  } finally {
    await scene.close()
  }
}

test('hot-tier: follows its slots and answers aggregates, filters, groups, ranges and rows; duplicates count once', async () => {
  await within({}, async (scene) => {
    const [zero, one] = scene.logs as [SlotLog, SlotLog]
    zero.append([row('a', 0, 'eu', 1, 1.5), row('b', 1, 'us', 2, null), row('a', 2, 'eu', 100, 100)])
    zero.append([row('b', 1, 'us', 2, null), row('c', 2_000_000, null, -3, 0.25)])
    one.append([row('a', 3_000_000, 'eu', 10, -2)]) // Another slot, another id space.
    const all = await ask(scene, { shape: { case: 'aggregate', value: { aggregates } } }, upTo(scene))
    assert.deepEqual(all.rows, [[4, 3, 10n, -0.25, -2, 'us', 2.5]])
    assert.deepEqual([all.statuses, all.rowsScanned, all.rowsMatched], [[OK, OK], 4n, 4n])
    assert.deepEqual(all.slots.map(({ cursor }) => cursor?.offset), [1n, 0n]) // biome-ignore format: one line
    const keys = [{ kind: { case: 'column' as const, value: 'region' } }]
    const grouped = await ask(scene, { shape: { case: 'aggregate', value: { keys, aggregates } } })
    assert.deepEqual(grouped.rows.toSorted(), [
      ['eu', 2, 2, 11n, -0.5, -2, 'eu', 5.5],
      ['us', 1, 0, 2n, null, null, 'us', 2],
      [null, 1, 1, -3n, 0.25, 0.25, null, -3],
    ].toSorted()) // biome-ignore format: a table
    const comparison = {
      column: 'items',
      operator: CompareOperator.GREATER,
      values: [{ kind: { case: 'int64Value' as const, value: 1n } }],
    }
    const filtered = await ask(scene, {
      startUs: BigInt(LOG_START_US + 1),
      endUs: BigInt(LOG_START_US + 3_000_000),
      filter: { kind: { case: 'comparison', value: comparison } },
      shape: counting,
    })
    assert.deepEqual(filtered.rows, [[1]])
    const newest = await ask(scene, { shape: { case: 'rows', value: { columns: ['event_id', 'items'], limit: 2 } } }) // biome-ignore format: one line
    assert.deepEqual(newest.rows, [['a', 10], ['c', -3]]) // biome-ignore format: one line
  })
})

test('hot-tier: an answer holds whole blocks up to the cursor it names, also while blocks arrive', async () => {
  await within({}, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    const ROWS = 7
    let block = 0
    const writing = setInterval(() => {
      for (let more = 0; more < 5; more++, block++)
        zero.append(Array.from({ length: ROWS }, (_, at) => row(`${block}-${at}`, block, 'eu', 1, 1)))
    }, 1)
    try {
      for (let question = 0; question < 100; question++) {
        const { rows, slots } = await ask(scene, { shape: counting }, [{ slot: 0 }])
        assert.deepEqual(rows, [[ROWS * (Number(slots[0]?.cursor?.offset) + 1)]])
      }
    } finally {
      clearInterval(writing)
    }
    assert.deepEqual(await count(scene), [[ROWS * zero.events.length]])
  })
})

test('hot-tier: an older epoch and a foreign incarnation are refused with what is true', async () => {
  await within({}, async (scene) => {
    await until(async () => (await ask(scene, { shape: counting })).statuses.every((one) => one === OK), 'serving') // biome-ignore format: one line
    const strangers: Asked[] = [
      { epoch: 4n },
      { incarnation: 2n },
      { incarnation: 0n },
      { epoch: 9n, incarnation: 2n },
    ]
    for (const stranger of strangers) {
      const { slots, batch } = await ask(scene, { shape: counting }, [{ slot: 0, ...stranger }])
      assert.equal(slots[0]?.status, STALE_EPOCH)
      assert.deepEqual([slots[0]?.epoch, slots[0]?.incarnation, slots[0]?.shards], [5n, 1n, [0]])
      assert.equal(batch.length, 0, 'nothing of it is answered')
    }
    const mixed = await ask(scene, { shape: counting }, [{ slot: 0, epoch: 4n }, { slot: 1 }, { slot: 7 }])
    assert.deepEqual(mixed.statuses, [STALE_EPOCH, OK, NOT_SERVING])
  })
})

test('hot-tier: a newer epoch is adopted from who names this shard, and from nobody else', async () => {
  await within({}, async (scene) => {
    await until(async () => (await ask(scene, { shape: counting })).statuses.every((one) => one === OK), 'serving') // biome-ignore format: one line
    const statusOf = async (asked: Asked) => (await ask(scene, { shape: counting }, [{ slot: 0, ...asked }])).statuses[0] // biome-ignore format: one line
    assert.equal(await statusOf({ epoch: 6n, shards: [1, 2] }), NOT_SERVING)
    assert.equal(await statusOf({ epoch: 6n, shards: [] }), NOT_SERVING)
    assert.equal(await statusOf({}), OK, 'neither was adopted')
    assert.equal(await statusOf({ epoch: 7n, shards: [0, 1] }), OK)
    assert.equal(await statusOf({}), STALE_EPOCH)
    scene.catalog.set({ epoch: 6 })
    assert.equal(await statusOf({ epoch: 6n }), STALE_EPOCH, 'the catalog here is behind and does not take it back') // biome-ignore format: one line
    scene.catalog.set({ epoch: 8 })
    assert.equal(await statusOf({ epoch: 8n }), OK)
    await until(() => readIdentity(scene.directory)?.epochMax === 8, 'the greatest epoch is on the volume')
  })
})

test('hot-tier: who has not caught up never answers, and is reported as soon as it has', async () => {
  const catalog = createCatalogInHand({ state: ReplicaState.JOINING })
  const logs = [new SlotLog(), new SlotLog()]
  logs[0]?.append([row('a', 0, 'eu', 1, 1)])
  await within({ catalog, logs }, async (scene) => {
    const { reports } = scene.controlPlane
    await until(() => reports.some(({ slots }) => slots?.[0]?.cursor?.offset === 0n && slots[0].endOffset === 1n), 'told') // biome-ignore format: one line
    assert.deepEqual((await ask(scene, { shape: counting })).statuses, [NOT_SERVING, NOT_SERVING])
    catalog.set({ state: ReplicaState.SERVING, epoch: 6 })
    const { statuses } = await ask(scene, { shape: counting }, [{ slot: 0, epoch: 6n }])
    assert.deepEqual(statuses, [OK])
    catalog.set({ state: ReplicaState.LEAVING, epoch: 7 })
    assert.deepEqual((await ask(scene, { shape: counting }, [{ slot: 0, epoch: 7n }])).statuses, [
      NOT_SERVING,
    ])
  })
})

test('hot-tier: who asks for an offset gets it when it comes, or BEHIND when the wait is over', async () => {
  await within({}, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    zero.append([row('a', 0, 'eu', 1, 1)])
    const asked = [{ slot: 0, atLeastOffset: 1n }]
    const early = await ask(scene, { shape: counting, atLeastWaitUs: 1_500n }, asked)
    assert.deepEqual(early.statuses, [BEHIND])
    const waiting = ask(scene, { shape: counting }, asked)
    zero.append([row('b', 0, 'eu', 1, 1)])
    const { statuses, rows } = await waiting
    assert.deepEqual([statuses, rows], [[OK], [[2]]])
  })
})

test('hot-tier: ingesters that fail, repeat, skip or garble lose and double nothing', async () => {
  await within({ ingesters: 3 }, async (scene) => {
    const [good, broken, lying] = scene.ingesters as [Scene['ingesters'][0], Scene['ingesters'][0], Scene['ingesters'][0]] // biome-ignore format: one line
    const earlier = scene.logs.map(({ events }) => events)
    broken.fault = (offset, event) => {
      if (offset % 3 === 2) throw new Error('reset')
      return event
    }
    lying.fault = (offset, event) => {
      if (event.case !== 'block') return event
      if (offset % 3 === 0) return (earlier[0]?.[offset - 1] ?? earlier[0]?.[offset])?.event ?? event
      if (offset % 3 === 1) return { case: 'block', value: { ...event.value, value: Buffer.from(event.value.value ?? []).fill(1, 40, 44) } } // biome-ignore format: one line
      return { case: 'block', value: { ...event.value, previousOffset: BigInt(offset) } }
    }
    const [zero, one] = scene.logs as [SlotLog, SlotLog]
    for (let block = 0; block < 12; block++) {
      zero.append([row(`${block}`, block, 'eu', 1, 1)])
      one.append([row(`${block}`, block, 'eu', 1, 1)])
    }
    good.fault = (_, event) => event
    await until(async () => (await count(scene))[0]?.[0] === 24, 'every row once')
    const shown = JSON.parse(await scene.get('/debug/slots')) as { slots: Array<{ counters: object }> }
    for (const { counters } of shown.slots) {
      assert.deepEqual(counters, { logRows: 12, applied: 12, deduplicated: 0, expired: 0, deadLettered: 0 })
    }
  })
})

test('hot-tier: restarted on its volume it goes on from its snapshot, also while the control plane is away', async () => {
  const first = await startShardScene()
  const { directory, logs, catalog, controlPlane } = first
  const [zero] = logs as [SlotLog]
  for (let block = 0; block < 5; block++) zero.append([row(`${block}`, block, 'eu', 1, 1)])
  assert.deepEqual(await count(first), [[5]])
  const before = (await first.client.getSlots({})).slots.find(({ slot }) => slot === 0)
  await first.stop()
  controlPlane.away = true
  await within({ directory, logs, catalog, controlPlane }, async (again) => {
    zero.append([row('0', 0, 'eu', 1, 1), row('new', 9, 'eu', 1, 1)])
    assert.deepEqual(await count(again), [[6]])
    assert.deepEqual(again.ingesters[0]?.subscriptions.find(({ slot }) => slot === 0)?.cursor, 4)
    assert.equal(again.controlPlane.registrations.length, 1)
    controlPlane.away = false
    await until(() => controlPlane.registrations.length === 2, 'it says hello')
    assert.deepEqual([controlPlane.registrations[1]?.volumeIncarnation, controlPlane.registrations[1]?.volumeCatalogId], [1n, 'c']) // biome-ignore format: one line
    const now = (await again.client.getSlots({})).slots.find(({ slot }) => slot === 0)
    assert.deepEqual([now?.logRows, now?.deduplicatedRows], [(before?.logRows ?? 0n) + 2n, 1n])
  })
})

test('hot-tier: a volume of another incarnation starts empty, and what it held is gone', async () => {
  const first = await startShardScene()
  const { directory, logs, controlPlane } = first
  logs[0]?.append([row('a', 0, 'eu', 1, 1)])
  assert.deepEqual(await count(first), [[1]])
  await first.stop()
  controlPlane.incarnation = 2
  const catalog = createCatalogInHand({ incarnation: 2 })
  await within({ directory, logs, controlPlane, catalog }, async (again) => {
    const asked = [{ slot: 0, incarnation: 2n, atLeastOffset: 0n }]
    await until(async () => (await ask(again, { shape: counting }, asked)).statuses[0] === OK, 'serving')
    assert.deepEqual(again.ingesters[0]?.subscriptions.find(({ slot }) => slot === 0)?.cursor, -1)
    assert.equal(readIdentity(directory)?.incarnation, 2)
    const { statuses } = await ask(again, { shape: counting }, [{ slot: 0 }])
    assert.deepEqual(statuses, [STALE_EPOCH])
  })
})

test('hot-tier: a table made anew under the same name starts empty and keeps its own snapshots', async () => {
  await within({}, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    zero.append([row('a', 0, 'eu', 1, 1)])
    const written = () => scene.metric(/snapshots_total\{outcome="written"\} (\d+)/)
    await until(async () => (await written()) > 0, 'a snapshot')
    scene.catalog.set({ uid: 'made anew' })
    await until(async () => (await count(scene))[0]?.[0] === 1, 'its log is read from the start')
    const directory = join(scene.directory, 'slots', 'production.events', '0')
    await until(() => existsSync(directory), 'a snapshot of its own')
    const packs = () => readdirSync(directory).filter((name) => name.startsWith('pack-'))
    await until(() => packs().length === 1, 'with its files')
  })
})

test('hot-tier: a slot that leaves is forgotten, with its files', async () => {
  await within({}, async (scene) => {
    scene.logs[0]?.append([row('a', 0, 'eu', 1, 1)])
    const directory = join(scene.directory, 'slots', 'production.events', '0')
    await until(() => existsSync(directory), 'a snapshot')
    scene.catalog.set({ slots: [1] })
    assert.deepEqual((await ask(scene, { shape: counting })).statuses, [NOT_SERVING, OK])
    assert.equal(existsSync(directory), false)
  })
})

test('hot-tier: a full volume degrades health and stops neither answers nor reports', async () => {
  const disk = createFaultyDisk()
  await within({ disk }, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    const statusOf = async () => (JSON.parse(await scene.get('/health')) as { status: string }).status
    zero.append([row('a', 0, 'eu', 1, 1)])
    await count(scene)
    disk.setFull(true)
    zero.append([row('b', 0, 'eu', 1, 1)])
    await until(async () => (await statusOf()) === 'degraded', 'degraded')
    assert.deepEqual(await count(scene), [[2]])
    scene.catalog.set({ epoch: 6 }) // Which is to be noted on the volume.
    const { length } = scene.controlPlane.reports
    await until(() => scene.controlPlane.reports.length > length + 1, 'reports go on')
    assert.equal(scene.controlPlane.reports.at(-1)?.slots?.[0]?.epoch, 6n)
    disk.setFull(false)
    zero.append([row('c', 0, 'eu', 1, 1)])
    await until(async () => (await statusOf()) === 'healthy', 'healthy')
    await until(() => readIdentity(scene.directory)?.epochMax === 6, 'the epoch is noted')
  })
})

/** A run for every four ids, merged at once. */
const fewIds = { recentIdsMin: 4, recentIdsMax: 4, runsMax: 2, workARow: 100 }
const runsOf = ({ directory }: Scene, slot: number): string[] => {
  const folder = join(directory, 'slots', `production.${definition.name}`, String(slot))
  return readdirSync(folder)
    .filter((name) => /^run-\d+\.bin$/.test(name))
    .map((name) => join(folder, name))
}

test('hot-tier: a run of ids that is damaged stalls its slot, visibly, until it has been replayed; nothing is lost or doubled', async () => {
  await within({ idLimits: fewIds }, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    for (let block = 0; block < 12; block++) {
      zero.append([row(`a${block}`, 0, 'eu', 1, 1), row(`b${block}`, 0, 'eu', 1, 1)])
    }
    assert.deepEqual(await count(scene), [[24]])
    await until(() => scene.metric(/outcome="written"\} (\d+)/).then((written) => written > 0), 'a snapshot')
    const damaged = runsOf(scene, 0)
    assert.ok(damaged.length > 0)
    for (const path of damaged) {
      const file = openSync(path, 'r+') // In place: the shard has it open.
      writeSync(file, Buffer.from([1, 2, 3, 4]), 0, 4, 6)
      closeSync(file)
    }
    zero.append([row('a0', 0, 'eu', 1, 1), row('new', 0, 'eu', 1, 1), row('b0', 0, 'eu', 1, 1)])
    await until(
      async () => /IdRunUnreadable/.test(await scene.get('/debug/slots')),
      'it says why it stands still',
    )
    assert.deepEqual(await count(scene), [[25]])
    assert.doesNotMatch(await scene.get('/debug/slots'), /IdRunUnreadable/)
    assert.ok((await scene.metric(/^truenow_hot_tier_id_runs_unreadable_total (\d+)/m)) >= 1)
    const cursors = scene.ingesters.flatMap(({ subscriptions }) => subscriptions.filter(({ slot }) => slot === 0).map(({ cursor }) => cursor)) // biome-ignore format: one line
    // More than once where the snapshot that it went back to names a damaged run itself.
    const again = cursors.slice(1)
    assert.ok(
      again.length > 0 && again.every((cursor) => cursor < 11),
      `read again from before the damage: ${cursors}`,
    )
    const all = Array.from({ length: 12 }, (_, block) => row(`a${block}`, 0, 'eu', 1, 1))
    zero.append(all)
    assert.deepEqual(await count(scene), [[25]])
    for (const path of damaged) await until(() => !existsSync(path), 'what was damaged is gone')
  })
})

test('hot-tier: while runs of ids cannot be written, health is degraded, ids stay in memory and duplicates are still found', async () => {
  const disk = createFaultyDisk()
  disk.setBroken(true)
  await within({ disk, idLimits: fewIds }, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    const append = (block: number) => zero.append([row(`a${block}`, 0, 'eu', 1, 1), row('a0', 0, 'eu', 1, 1)])
    const health = async () => scene.get('/health')
    for (let block = 0; block < 12; block++) append(block)
    await until(async () => /degraded.*EIO/s.test(await health()), 'degraded')
    assert.deepEqual(await count(scene), [[12]])
    assert.deepEqual(runsOf(scene, 0), [])
    assert.ok((await scene.metric(/id_runs_written_total\{outcome="failed"\} (\d+)/)) >= 1)
    disk.setBroken(false)
    for (let block = 12; block < 24; block++) append(block)
    assert.deepEqual(await count(scene), [[24]])
    await until(async () => !/EIO/.test(await health()), 'healthy again')
    assert.ok(runsOf(scene, 0).length > 0)
    assert.ok((await scene.metric(/duplicates_total\{stage="run"\} (\d+)/)) >= 1)
  })
})

test('hot-tier: a rewritten log stops its slot, which says so; the others go on', async () => {
  await within({}, async (scene) => {
    const [zero, one] = scene.logs as [SlotLog, SlotLog]
    one.append([row('a', 0, 'eu', 1, 1)])
    zero.rewritten = true
    await until(
      async () => (await ask(scene, { shape: counting })).statuses[0] === STALLED,
      'it stands still',
    )
    const { slots, rows } = await ask(scene, { shape: counting }, [
      { slot: 0 },
      { slot: 1, atLeastOffset: 0n },
    ])
    assert.match(slots[0]?.detail ?? '', /^LogRewritten: /)
    assert.deepEqual([slots[1]?.status, rows], [OK, [[1]]])
  })
})

test('hot-tier: a block of a table version that the catalog lacks waits for it, visibly, and is not lost', async () => {
  await within({}, async (scene) => {
    const [zero] = scene.logs as [SlotLog]
    const [, second] = VERSIONS as [TableDefinition, TableDefinition]
    zero.append([row('a', 0, 'eu', 1, 1)])
    const next = row('b', 0, 'eu', 1, 1)
    zero.append([{ ...next, values: [...next.values, 'widget'] }], second)
    const held = async () => (await ask(scene, { shape: counting })).rows[0]?.[0]
    await until(async () => (await held()) === 1, 'what came before is answered meanwhile')
    const behind = await ask(scene, { shape: counting, atLeastWaitUs: 200_000n }, [
      { slot: 0, atLeastOffset: 1n },
    ])
    assert.equal(behind.statuses[0], BEHIND)
    assert.match(behind.slots[0]?.detail ?? '', /TableVersionUnknown: /)
    scene.catalog.set({ versions: VERSIONS.slice(0, 2) })
    await until(async () => (await held()) === 2, 'it goes on')
  })
})

test('hot-tier: over its memory budget the oldest buckets leave, and the answer says from when on it holds everything', async () => {
  const gigabytes = 0.0005 * Math.max(1, WORKERS) // So much for each worker, and one holds the rows.
  const emptyBytes = WORKERS > 1 ? 2_048 : 0 // The other one's slot has room for its first ids.
  await within(
    { environment: { HOT_TIER_MEMORY_GB: String(gigabytes), TRUENOW_HOT_TIER_RESERVE_MB: '0' } },
    async (scene) => {
      const [zero] = scene.logs as [SlotLog]
      const [BUCKETS, ROWS] = [60, 200]
      for (let bucket = 0; bucket < BUCKETS; bucket++)
      zero.append(Array.from({ length: ROWS }, (_, at) => row(`${bucket}-${at}`, bucket * 2_000_000 + at, 'eu', 1, 1))) // biome-ignore format: one line
      await count(scene) // Once all are in, what leaves is settled.
      await until(async () => (await scene.metric(/evicted_buckets_total (\d+)/)) > 0, 'evictions')
      await until(async () => (await scene.metric(/resident_bytes (\d+)/)) <= 0.0005 * 2 ** 30 + emptyBytes, 'within the budget') // biome-ignore format: one line
      // One answer, because the next bucket may leave between two.
      const { slots, rows } = await ask(scene, { shape: counting }, upTo(scene))
      const retainedFromUs = Number(slots[0]?.retainedFromUs)
      assert.ok(retainedFromUs > LOG_START_US)
      const rowsSince = (BUCKETS - Math.ceil((retainedFromUs - LOG_START_US) / 2_000_000)) * ROWS
      assert.deepEqual(rows, [[rowsSince]])
    },
  )
})

test('hot-tier: a slot near what one may take is told with its load and its top keys, and the others without', async () => {
  const catalog = createCatalogInHand({ versions: [{ ...definition, partitionBy: ['region'] }] })
  const environment = { HOT_TIER_MEMORY_GB: String(0.001 * Math.max(1, WORKERS)), TRUENOW_HOT_TIER_RESERVE_MB: '0' } // biome-ignore format: one line
  await within({ catalog, environment }, async (scene) => {
    const [zero, one] = scene.logs as [SlotLog, SlotLog]
    one.append([row('cool', 0, 'us', 1, 1)])
    let block = 0
    const told = () => scene.controlPlane.reports.at(-1)
    await until(() => {
      block += 1
      zero.append(Array.from({ length: 64 }, (_, at) => row(`${block}-${at}`, block, at % 8 === 0 ? null : 'eu', 1, 1))) // biome-ignore format: one line
      return (told()?.slots?.find(({ slot = 0 }) => slot === 0)?.topKeys?.length ?? 0) > 1
    }, 'top keys')
    const hot = told()?.slots?.find(({ slot = 0 }) => slot === 0)
    const cool = told()?.slots?.find(({ slot }) => slot === 1)
    assert.deepEqual(hot?.topKeys?.map(({ key }) => key), ['region="eu"', 'region=null']) // biome-ignore format: one line
    assert.ok(Math.abs((hot?.topKeys?.[0]?.share ?? 0) - 0.875) < 0.1)
    assert.ok((hot?.rowsPerSecond ?? 0) > 0 && (hot?.applyShare ?? 0) > 0)
    assert.deepEqual(cool?.topKeys, [])
    assert.equal(told()?.workers, Math.max(1, WORKERS))
    await until(async () => (await scene.metric(/top_key_share{worker="0"} ([\d.]+)/)) > 0.7, 'its metric')
    assert.ok((await scene.metric(/slot_heat{worker="0"} ([\d.]+)/)) >= 0.25)
    const before = hot?.scanShare ?? 0
    // More than one: the kernel tells a thread's time in ticks, so a single scan may have taken none.
    const scanned = async () => {
      await count(scene)
      return (told()?.slots?.find(({ slot = 0 }) => slot === 0)?.scanShare ?? 0) > before
    }
    await until(scanned, 'the scans')
  })
})

test('hot-tier: where another process is the shard now, this one ends', async () => {
  await within({}, async (scene) => {
    scene.controlPlane.retired = true
    await until(() => scene.retired.length > 0, 'it is told')
    assert.match(await scene.get('/readyz'), /another process is this shard/)
    assert.equal(scene.controlPlane.registrations.length, 1, 'it does not take the shard back')
  })
})

test('hot-tier: a shard that no volume names is given an incarnation, and keeps it', async () => {
  const controlPlane = createFakeControlPlane()
  controlPlane.incarnation = 3
  await within({ controlPlane, catalog: createCatalogInHand({ incarnation: 3 }) }, async (scene) => {
    await until(() => controlPlane.reports.length > 0, 'it reports')
    const [hello] = controlPlane.registrations
    assert.deepEqual([hello?.volumeIncarnation, hello?.volumeCatalogId, hello?.epochMax], [0n, '', 0n])
    assert.equal(readIdentity(scene.directory)?.incarnation, 3)
    assert.equal((await scene.client.getSlots({})).incarnation, 3n)
  })
})
