import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCacheInMemory } from '@truenow/chassis/cache-in-memory.ts'
import type { CachePort } from '@truenow/chassis/cache-port.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { QueryAnswer } from '@truenow/contracts/query-statement.ts'
import { askerOf } from './asker.ts'
import { createCluster, WATERMARK_US } from './cluster.ts'

const START_US = 1_754_772_362_000_000
const END_US = 1_754_772_622_000_000
const range = { start_time: START_US, end_time: END_US, namespace: 'production', table: 'events' }
const count = { ...range, aggregate: 'count' }
const rowsOf = (slot: number) =>
  [0, 1].map((at) => ({
    event_id: `${slot}-${at}`,
    event_time_us: START_US + slot * 10 + at,
    region: 'us-east',
    product: null,
    latency_us: null,
    revenue: 0.5,
    items: 3,
    paid: true,
  }))

function scene(options: NonNullable<Parameters<typeof createCluster>[0]> = {}) {
  const cluster = createCluster({ rowsOf, ...options })
  const { ask, kept } = askerOf(cluster)
  return {
    ...cluster,
    kept,
    ask: async (body: unknown): Promise<QueryAnswer> => JSON.parse((await ask(body)).text) as QueryAnswer,
  }
}

test('answer: it carries its truth', async () => {
  const { ask } = scene()
  const answer = await ask(count)
  assert.deepEqual(answer.columns, [{ name: 'count', type: 'int64' }])
  assert.deepEqual(answer.rows, [{ count: 8 }])
  assert.deepEqual(
    answer.positions,
    Object.fromEntries([0, 1, 2, 3].map((slot) => [slot, { incarnation: 1, offset: 1 }])),
  )
  assert.deepEqual(
    [answer.watermark_us, answer.complete, answer.partial, answer.regressed, answer.retained_from_us],
    [WATERMARK_US, true, false, false, 0],
  )
  assert.deepEqual([answer.missing_slots, answer.warnings], [[], []])
  const { took_us: _, ...stats } = answer.stats
  assert.deepEqual(stats, {
    rows_scanned: 8,
    rows_matched: 8,
    rows_from_rollups: 0,
    shards_asked: 2,
    cache: 'off',
  })
})

test('answer: complete only once the watermark has reached the end of the range', async () => {
  const { ask, shards } = scene()
  const watermarkOf = (slot: number, watermarkUs: number) => {
    for (const { replicas } of shards) Object.assign(replicas.get(slot) ?? {}, { watermarkUs })
  }
  watermarkOf(2, END_US)
  assert.equal((await ask(count)).complete, true)
  watermarkOf(2, END_US - 1)
  const answer = await ask(count)
  assert.deepEqual([answer.complete, answer.partial, answer.watermark_us], [false, false, END_US - 1])
  await assert.rejects(ask({ ...count, require_complete: true }), (error: TrueNowError) => {
    assert.equal(error.code, 'TN_QUERY_INCOMPLETE')
    assert.equal(error.details.watermark_us, END_US - 1)
    return true
  })
})

test('answer: rows that are no longer held make it incomplete', async () => {
  const { ask, shards } = scene()
  for (const { replicas } of shards) Object.assign(replicas.get(0) ?? {}, { retainedFromUs: START_US + 1 })
  const answer = await ask(count)
  assert.deepEqual([answer.complete, answer.retained_from_us], [false, START_US + 1])
})

test('answer: a slot without a replica is named, and the rest is answered', async () => {
  const { ask, shards } = scene({ replicationFactor: 1 })
  const [first] = shards
  assert.ok(first)
  first.fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'refused'))
  const answer = await ask(count)
  assert.deepEqual(answer.rows, [{ count: 4 }])
  assert.deepEqual([answer.partial, answer.complete], [true, false])
  assert.deepEqual(answer.missing_slots, [
    { slot: 0, reason: 'shard 0: refused' },
    { slot: 2, reason: 'shard 0: refused' },
  ])
  assert.deepEqual(Object.keys(answer.positions), ['1', '3'])
  await assert.rejects(ask({ ...count, require_complete: true }), { code: 'TN_QUERY_INCOMPLETE' })
})

test('answer: nobody is there: partial, without a made-up zero', async () => {
  const { ask, shards } = scene()
  for (const shard of shards)
    shard.fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'refused'))
  for (const statement of [range, count, { ...count, group_by: ['region'] }]) {
    const answer = await ask(statement)
    assert.deepEqual([answer.rows, answer.positions, answer.watermark_us], [[], {}, null])
    assert.deepEqual([answer.partial, answer.complete, answer.missing_slots.length], [true, false, 4])
  }
})

test('answer: a sum that leaves int64 is null, with a warning', async () => {
  const big = Number.MAX_SAFE_INTEGER
  // 1,100 x 2^53 is beyond 2^63.
  const { ask } = scene({
    rowsOf: (slot) =>
      Array.from({ length: 275 }, (_, at) => ({
        event_id: `${slot}-${at}`,
        event_time_us: START_US,
        items: big,
      })),
  })
  const answer = await ask({ ...range, aggregate: 'sum', metric: 'items' })
  assert.deepEqual(answer.rows, [{ sum_items: null }])
  assert.match(answer.warnings.join(), /sum_items/)
})

test('answer: times in ms are answered, with a warning', async () => {
  const { ask } = scene()
  const answer = await ask({ ...range, start_time: 1_754_772_362_000, end_time: 1_754_772_622_000 })
  assert.match(answer.warnings.join(), /milliseconds/)
})

const unknown: ReadonlyArray<[name: string, more: object, path: string, meant: string | undefined]> = [
  ['table', { table: 'evnts' }, 'table', 'events'],
  ['table, nothing near', { table: 'orders' }, 'table', undefined],
  ['namespace', { namespace: 'prodution' }, 'namespace', 'production'],
]
for (const [name, more, path, meant] of unknown) {
  test(`answer: an unknown ${name}`, async () => {
    const { ask } = scene()
    await assert.rejects(ask({ ...range, ...more }), (error: TrueNowError) => {
      assert.deepEqual(
        [error.code, error.details.path, error.details.did_you_mean],
        ['TN_TABLE_UNKNOWN', path, meant],
      )
      return true
    })
  })
}

test('answer: at_least of a slot that the table has not', async () => {
  const { ask } = scene()
  await assert.rejects(ask({ ...count, at_least: { 4: 0 } }), { code: 'TN_QUERY_INVALID' })
})

test('cache: a miss, then a hit that asks for no rows, then a miss once a slot moved', async () => {
  const cache = createCacheInMemory({ clock: systemClock })
  const { ask, kept, shards } = scene({ cache })
  const first = await ask(count)
  await kept()
  const second = await ask(count)
  assert.deepEqual([first.stats.cache, second.stats.cache], ['miss', 'hit'])
  assert.deepEqual(second.rows, first.rows)
  assert.deepEqual([first.stats.rows_scanned, second.stats.rows_scanned], [8, 0])
  for (const { replicas } of shards) {
    const replica = replicas.get(3)
    if (replica !== undefined) replica.rows = [...replica.rows, { event_id: 'late', event_time_us: START_US }]
    if (replica !== undefined) replica.offset += 1
  }
  const third = await ask(count)
  assert.deepEqual([third.stats.cache, third.rows], ['miss', [{ count: 9 }]])
})

test('cache: watermark and completeness of a hit are of now', async () => {
  const cache = createCacheInMemory({ clock: systemClock })
  const { ask, kept, shards } = scene({ cache })
  for (const { replicas } of shards) Object.assign(replicas.get(0) ?? {}, { watermarkUs: 5 })
  assert.equal((await ask(count)).complete, false)
  await kept()
  for (const { replicas } of shards) Object.assign(replicas.get(0) ?? {}, { watermarkUs: WATERMARK_US })
  const answer = await ask(count)
  assert.deepEqual([answer.stats.cache, answer.complete], ['hit', true])
})

const others: ReadonlyArray<[name: string, more: object]> = [
  ['another range', { end_time: END_US + 1 }],
  ['another filter', { filters: { region: 'us-east' } }],
  ['another column name', { aggregate: undefined, aggregates: [{ aggregate: 'count', as: 'n' }] }],
  ['another limit', { limit: 1 }],
]
for (const [name, more] of others) {
  test(`cache: ${name} is another result`, async () => {
    const { ask, kept } = scene({ cache: createCacheInMemory({ clock: systemClock }) })
    await ask(count)
    await kept()
    assert.equal((await ask({ ...count, ...more })).stats.cache, 'miss')
  })
}

test('cache: another incarnation, or rows evicted since, is another result', async () => {
  const { ask, kept, shards } = scene({ cache: createCacheInMemory({ clock: systemClock }) })
  await ask(count)
  await kept()
  for (const { replicas } of shards) Object.assign(replicas.get(1) ?? {}, { retainedFromUs: 9 })
  assert.equal((await ask(count)).stats.cache, 'miss')
})

test('cache: `cache: false` neither reads nor writes', async () => {
  const { ask, kept } = scene({ cache: createCacheInMemory({ clock: systemClock }) })
  await ask({ ...count, cache: false })
  await kept()
  assert.equal((await ask(count)).stats.cache, 'miss')
})

const broken: ReadonlyArray<[name: string, get: CachePort['get']]> = [
  ['is away', () => Promise.reject(new Error('ECONNREFUSED'))],
  ['holds nothing', async () => undefined],
  ['holds an empty entry', async () => Buffer.alloc(0)],
  ['holds garbage', async () => Buffer.from('{"rowsText":"[{\\"count\\":1}]"}')],
  ['holds a flipped bit', async () => Buffer.from([1, 2, 3, 4, ...Buffer.from('{"rowsText":"[]"}')])],
]
for (const [name, get] of broken) {
  test(`cache: Redis ${name}: the same answer`, async () => {
    const cache: CachePort = {
      get,
      set: () => Promise.reject(new Error('READONLY')),
      reachable: async () => false,
      close: async () => {},
    }
    const { ask, kept } = scene({ cache })
    const answer = await ask(count)
    assert.deepEqual([answer.rows, answer.stats.cache], [[{ count: 8 }], 'miss'])
    await kept()
  })
}

test('cache: a partial answer is not kept', async () => {
  const { ask, kept, shards } = scene({
    replicationFactor: 1,
    cache: createCacheInMemory({ clock: systemClock }),
  })
  const [first] = shards
  assert.ok(first)
  first.fault = () => Promise.reject(new TrueNowError('TN_PEER_UNAVAILABLE', 'refused'))
  for (let round = 0; round < 2; round++) {
    assert.equal((await ask(count)).stats.cache, 'miss')
    await kept()
  }
})
