import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Event } from './data-plane.cases.ts'
import { type Processes, startProcesses } from './start-processes.ts'

/*
 * Roles of the last release beside roles of this build, as they stand in the middle of an upgrade and in the middle of going
 * back: real processes, real Kafka and PostgreSQL. Whoever writes and whoever reads, the answers equal a recount.
 */
const root = join(import.meta.dirname, '../../..')
const tree = join(root, 'e2e/release-tree.ts')
const former = execFileSync(process.execPath, [tree, '0.1.0'], { encoding: 'utf8' }).trim()

type Answer = Readonly<{ rows: readonly Readonly<Record<string, unknown>>[]; partial: boolean }>

function skew(name: string, ours: readonly string[], more: (steps: Steps) => void): void {
  describe(`version skew: ${name}`, () => {
    const current = new Set(ours)
    const startUs = Date.now() * 1_000 - 600_000_000
    const posted: Event[] = []
    const written: Record<string, number> = {}
    let world: Processes
    before(async () => {
      world = await startProcesses({}, (process) => (current.has(process) ? root : former))
    })
    after(() => world?.close())

    async function post(count: number): Promise<void> {
      const batch = Array.from({ length: count }, (_, index): Event => {
        const n = posted.length + index
        return {
          event_id: `event-${n}`,
          event_time_us: startUs + ((n * 7_919) % 500_000) * 1_000,
          region: ['us-east', 'us-west', 'eu', 'ap'][n % 4] ?? '',
          product: `widget-${'abc'[n % 3]}`,
          user_id: `u${n % 37}`,
          ...(n % 5 === 0 || n % 3 === 0 ? {} : { latency_us: n }),
          revenue: (n % 400) / 4,
          items: n % 7,
        }
      })
      // A tenth comes twice: duplicates are dropped whoever has the rows.
      const answer = await send(world.gateway, '/v1/namespaces/production/tables/events/events', [
        ...batch,
        ...batch.slice(0, count / 10),
      ])
      for (const [slot, offset] of Object.entries(answer.positions as Record<string, number>))
        written[slot] = Math.max(written[slot] ?? -1, offset)
      posted.push(...batch)
    }

    async function answersEqualRecount(): Promise<void> {
      const range = { start_time: startUs, end_time: startUs + 700_000_000, at_least: written }
      const ask = (statement: object) =>
        send(world.query, '/v1/query', { ...range, namespace: 'production', table: 'events', ...statement })
      const groups = (await ask({
        group_by: ['region', 'product'],
        aggregates: [
          { aggregate: 'count', as: 'events' },
          { aggregate: 'sum', metric: 'revenue', as: 'revenue' },
          { aggregate: 'max', metric: 'latency_us', as: 'slowest' },
        ],
      })) as unknown as Answer
      assert.equal(groups.partial, false)
      const key = (row: Readonly<Record<string, unknown>>) => `${row.region} ${row.product}`
      const expected = [...Map.groupBy(posted, key)].map(([group, rows]) => [
        group,
        rows.length,
        rows.reduce((sum, { revenue }) => sum + revenue, 0),
        rows.reduce<number | null>(
          (most, { latency_us: next }) => (next === undefined ? most : Math.max(most ?? next, next)),
          null,
        ),
      ])
      const answered = groups.rows.map((row) => [key(row), row.events, row.revenue, row.slowest])
      assert.deepEqual(answered.toSorted(), expected.toSorted())
      const rows = (await ask({
        filters: { region: 'eu', product: 'widget-a' },
        limit: 5,
      })) as unknown as Answer
      const newest = posted
        .filter(({ region, product }) => region === 'eu' && product === 'widget-a')
        .toSorted((left, right) => right.event_time_us - left.event_time_us)
      assert.deepEqual(
        rows.rows.map(({ event_time_us }) => event_time_us),
        newest.slice(0, 5).map(({ event_time_us }) => event_time_us),
      )
    }

    test('the answers equal a recount', async () => {
      await post(2_000)
      await answersEqualRecount()
    })
    more({
      answersEqualRecount,
      post,
      restartShard: async (shard, as) => {
        await world.stopShard(shard)
        if (as === 'ours') current.add(`hot-tier-${shard}`)
        else current.delete(`hot-tier-${shard}`)
        await world.startShard(shard, 'kept')
        await world.whenServing()
      },
    })
    test('no role logged an error', () => assert.deepEqual(world.errors(), []))
  })
}
type Steps = Readonly<{
  answersEqualRecount: () => Promise<void>
  post: (count: number) => Promise<void>
  /** Killed, and started on the same volume with the code of the other version. */
  restartShard: (shard: number, as: 'ours' | 'former') => Promise<void>
}>

async function send(at: string, path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(`http://${at}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return JSON.parse(text) as Record<string, unknown>
}

const middle = ['control-plane-0', 'query-0', 'hot-tier-0']
skew('half-way up, one shard of each version', middle, ({ answersEqualRecount, post, restartShard }) => {
  test('a shard of this build takes over the volume of the former', async () => {
    await restartShard(1, 'ours')
    await post(500)
    await answersEqualRecount()
  })
})

/** Not the control plane: the former one refuses to declare a table with what it does not know (rollups). */
const writers = ['control-plane-0', 'hot-tier-0', 'hot-tier-1', 'ingester-0', 'watermark-0', 'gateway-0']
skew('half-way back, the former query role', writers, ({ answersEqualRecount, post, restartShard }) => {
  test('a shard of the former takes over the volume of this build', async () => {
    await restartShard(0, 'former')
    await post(500)
    await answersEqualRecount()
  })
})
