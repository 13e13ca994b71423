import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { QueryAnswer } from '@truenow/contracts/query-statement.ts'

/** All roles together, however they run: in one process with in-memory ports, or each as a process with the real systems. */
export type World = Readonly<{
  /** `host:port` of the HTTP servers. */
  gateway: string
  query: string
  watermark: string
  stopShard: (shard: number) => Promise<void>
  startShard: (shard: number, volume: 'kept' | 'empty') => Promise<void>
  /** Resolves when every replica serves. */
  whenServing: () => Promise<void>
  /** Deletes every record of the demo table's topic that is there, as Kafka's retention would. */
  forgetLog: () => Promise<void>
  /** ERROR lines of all logs so far. */
  errors: () => readonly string[]
  close: () => Promise<void>
}>

/** Of the demo table. */
export type Event = Readonly<{
  event_id: string
  event_time_us: number
  region: string
  product: string
  user_id: string
  latency_us?: number
  revenue: number
  items: number
}>

const WHOLE_MS_MAX = 20_000

/**
 * Events with duplicates go in over HTTP, answers are compared with a recount that shares no code with the product. Sums are over
 * quarters, so that they are exact in any order.
 */
export function dataPlaneCases(name: string, startWorld: () => Promise<World>): void {
  describe(`data plane: ${name}`, () => {
    let world: World
    const startUs = Date.now() * 1_000 - 600_000_000
    const range = {
      start_time: startUs,
      end_time: startUs + 700_000_000,
      namespace: 'production',
      table: 'events',
    }
    const posted: Event[] = []
    /** slot → the greatest offset that a write of ours was answered with. */
    const written: Record<string, number> = {}

    before(async () => {
      world = await startWorld()
    })
    after(() => world?.close())

    /** `count` events from `first` on, out of order in time, one region in four, every third without latency. */
    function events(first: number, count: number): Event[] {
      return Array.from({ length: count }, (_, index) => {
        const n = first + index
        return {
          event_id: `event-${n}`,
          event_time_us: startUs + ((n * 7_919) % 500_000) * 1_000 + (n % 1_000),
          region: ['us-east', 'us-west', 'eu', 'ap'][n % 4]!,
          product: `widget-${'abc'[n % 3]}`,
          user_id: `u${n % 37}`,
          ...(n % 3 === 0 ? {} : { latency_us: n }),
          revenue: (n % 400) / 4,
          items: n % 7,
        }
      })
    }

    async function post(batch: readonly Event[]): Promise<void> {
      const response = await fetch(`http://${world.gateway}/v1/namespaces/production/tables/events/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(batch),
      })
      const text = await response.text()
      assert.equal(response.status, 200, text)
      const { positions } = JSON.parse(text) as { positions: Record<string, number> }
      for (const [slot, offset] of Object.entries(positions)) {
        written[slot] = Math.max(written[slot] ?? -1, offset)
      }
      posted.push(...batch)
    }

    async function ask(statement: object): Promise<QueryAnswer> {
      const body = JSON.stringify({ ...range, at_least: written, ...statement })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`http://${world.query}/v1/query`, { method: 'POST', headers, body })
      const text = await response.text()
      assert.equal(response.status, 200, text)
      return JSON.parse(text) as QueryAnswer
    }

    /** The recount: each id once. */
    const unique = () => [...new Map(posted.map((event) => [event.event_id, event])).values()]
    const total = (rows: readonly Event[]) => rows.reduce((sum, { revenue }) => sum + revenue, 0)
    const key = (row: Readonly<Record<string, unknown>>) => `${row.region} ${row.product}`

    async function assertEqualsRecount(): Promise<void> {
      const sums = await ask({ group_by: ['region', 'product'], aggregate: 'sum', metric: 'revenue' })
      assert.equal(sums.partial, false, JSON.stringify(sums))
      const expected = [...Map.groupBy(unique(), key)].map(([group, rows]) => [group, total(rows)])
      assert.deepEqual(sums.rows.map((row) => [key(row), row.sum_revenue]).toSorted(), expected.toSorted())
      const counted = await ask({
        aggregates: [
          { aggregate: 'count', as: 'events' },
          { aggregate: 'count', metric: 'latency_us', as: 'with_latency' },
          { aggregate: 'max', metric: 'latency_us', as: 'slowest' },
        ],
      })
      const latencies = unique().flatMap(({ latency_us }) => latency_us ?? [])
      assert.deepEqual(counted.rows, [
        { events: unique().length, with_latency: latencies.length, slowest: Math.max(...latencies) },
      ])
    }

    /** Resolves when some serving shard has every slot, at or above all that was written. */
    async function untilWhole(): Promise<void> {
      const deadline = performance.now() + WHOLE_MS_MAX
      for (;;) {
        const { partial, missing_slots } = await ask({ aggregate: 'count' })
        if (!partial) return
        assert.ok(performance.now() < deadline, `slots ${missing_slots} are still missing`)
        await delay(20)
      }
    }

    test('the three classic forms equal an independent recount, with duplicates in one batch, across batches and at once', async () => {
      const first = events(0, 1_000)
      await post([...first, ...first.slice(0, 50)])
      await post(events(900, 1_100))
      await Promise.all([post(events(2_000, 500)), post(events(2_000, 500)), post(events(1_500, 700))])
      assert.equal(unique().length, 2_500)

      const newest = (rows: readonly Event[], limit: number) =>
        rows
          .toSorted((a, b) => b.event_time_us - a.event_time_us)
          .slice(0, limit)
          .map(({ event_time_us }) => event_time_us)
      const rows = await ask({})
      assert.deepEqual(
        rows.rows.map((row) => row.event_time_us),
        newest(unique(), 100),
      )
      for (const row of rows.rows) {
        const event = unique().find(({ event_id }) => event_id === row.event_id)
        assert.deepEqual(row, { ...event, latency_us: event?.latency_us ?? null })
      }
      const filtered = await ask({ filters: { region: 'us-east', product: 'widget-a' }, limit: 1_000 })
      const matching = unique().filter(
        ({ region, product }) => region === 'us-east' && product === 'widget-a',
      )
      assert.deepEqual(
        filtered.rows.map((row) => row.event_time_us),
        newest(matching, 1_000),
      )
      await assertEqualsRecount()
    })

    test('an empty range, unknown names and an impossible range are answered properly', async () => {
      const empty = await ask({
        start_time: 1,
        end_time: 2,
        aggregate: 'sum',
        metric: 'revenue',
        at_least: {},
      })
      assert.deepEqual(empty.rows, [{ sum_revenue: null }])
      const refused: ReadonlyArray<[statement: object, status: number, code: string]> = [
        [{ table: 'nowhere', at_least: {} }, 404, 'TN_TABLE_UNKNOWN'],
        [{ filters: { regoin: 'x' } }, 400, 'TN_COLUMN_UNKNOWN'],
        [{ end_time: startUs }, 400, 'TN_QUERY_INVALID'],
      ]
      for (const [statement, status, code] of refused) {
        const response = await fetch(`http://${world.query}/v1/query`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...range, ...statement }),
        })
        const { error } = (await response.json()) as { error: { code: string } }
        assert.deepEqual([response.status, error.code], [status, code])
      }
    })

    test('a shard that stops, and comes back with its volume, loses nothing', async () => {
      await world.stopShard(0)
      await assertEqualsRecount()
      await post(events(2_500, 500))
      await assertEqualsRecount()
      await world.startShard(0, 'kept')
      await world.whenServing()
      await post(events(3_000, 100))
      await assertEqualsRecount()
    })

    test('a shard that lost its volume never answers as if it held data, and serves again once it has caught up', async () => {
      await world.stopShard(1)
      await world.startShard(1, 'empty')
      for (let round = 0; round < 10; round++) {
        await assertEqualsRecount()
        await delay(20)
      }
      await world.whenServing()
      await assertEqualsRecount()
      // The other one goes: what is left is the shard that was rebuilt from the log.
      await world.stopShard(0)
      await post(events(3_100, 100))
      await assertEqualsRecount()
      await world.startShard(0, 'kept')
      await world.whenServing()
    })

    test('a shard that lost its volume when the log had lost its records comes to the same answers as its peer', async () => {
      // Shard 0 serves as soon as it is back, and may still be reading; what it lacks when the log forgets is lost with shard 1.
      await world.stopShard(1)
      await untilWhole()
      await assertEqualsRecount()
      await world.forgetLog()
      await post(events(3_200, 100))
      await world.startShard(1, 'empty')
      await world.whenServing()
      await assertEqualsRecount()
      // The other one goes: what is left had no log to read, only the copy.
      await world.stopShard(0)
      await post([...events(3_000, 100), ...events(3_300, 100)]) // Ids of long before are duplicates all the same.
      await assertEqualsRecount()
      await world.startShard(0, 'kept')
      await world.whenServing()
      await assertEqualsRecount()
    })

    test('freshness names every slot, and no role logged an error', async () => {
      const response = await fetch(
        `http://${world.watermark}/v1/namespaces/production/tables/events/freshness`,
      )
      assert.equal(response.status, 200, await response.clone().text())
      const { slots } = (await response.json()) as { slots: unknown[] }
      assert.equal(slots.length, 8)
      assert.deepEqual(world.errors(), [])
    })
  })
}
