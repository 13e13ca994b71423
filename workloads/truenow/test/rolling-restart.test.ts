import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Dev, startDev } from '../src/start-dev.ts'

/*
 * What the operator's restarts rely on, without Kubernetes: shards that leave politely one after the other and come back on their
 * volumes, while events are written and counted. No answer may be wrong, failed or partial.
 */
const ASKERS = 2
const ASK_PAUSE_MS = 20
const BATCH = 50
let world: Dev
let dataDirectory: string

before(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'truenow-test-'))
  world = await startDev({
    portBase: 0,
    dataDirectory,
    version: '0.0.0-test',
    onStep: () => {},
    log: { level: 'ERROR', destination: { write: () => {} } },
    shardDrainMs: 1_000,
  })
})
after(async () => {
  await world?.close()
  await rm(dataDirectory, { recursive: true, force: true })
})

test('shards restarted politely, one after the other: no answer wrong, failed or partial', async (t) => {
  const startUs = Date.now() * 1_000 - 60_000_000
  const tally = { asked: 0, wrong: 0, failed: 0, partial: 0, slowestMs: 0 }
  const trouble: string[] = []
  const written: Record<string, number> = {}
  let posted = 0
  let going = true

  async function post(): Promise<void> {
    const batch = Array.from({ length: BATCH }, (_, index) => ({
      event_id: `event-${posted + index}`,
      event_time_us: startUs + (posted + index) * 10,
      region: 'eu',
      product: 'widget-a',
      user_id: `u${(posted + index) % 37}`,
      revenue: 1,
      items: 1,
    }))
    const { status, body } = await send(
      world.gateway,
      '/v1/namespaces/production/tables/events/events',
      batch,
    )
    assert.equal(status, 200, JSON.stringify(body))
    for (const [slot, offset] of Object.entries(body.positions as Record<string, number>))
      written[slot] = Math.max(written[slot] ?? -1, offset)
    posted += BATCH
  }
  let answered = 0
  /** No answer counts less than one that was there before the question, nor more than was sent by the time of the answer. */
  async function ask(more: object = {}): Promise<number> {
    const least = answered
    const range = { start_time: startUs, end_time: startUs + 120_000_000 }
    const statement = { ...range, namespace: 'production', table: 'events', aggregate: 'count', ...more }
    const atMs = performance.now()
    const { status, body } = await send(world.query, '/v1/query', statement)
    tally.asked += 1
    tally.slowestMs = Math.max(tally.slowestMs, Math.round(performance.now() - atMs))
    const [row] = (body.rows ?? []) as { count: number }[]
    const count = row?.count ?? -1
    if (status !== 200) tally.failed += 1
    else if (body.partial !== false) tally.partial += 1
    else if (count > posted + BATCH || (count < least && body.regressed !== true)) tally.wrong += 1
    else answered = Math.max(answered, count)
    if (tally.failed + tally.partial + tally.wrong > trouble.length && trouble.length < 5)
      trouble.push(`${status} ${JSON.stringify(body).slice(0, 400)}`)
    return count
  }
  const writing = (async () => {
    while (going) {
      await post()
      await delay(20)
    }
  })()
  // Each asks again once it was answered: on a slow machine there are fewer questions, and none waits behind another.
  const asking = Array.from({ length: ASKERS }, async () => {
    while (going) {
      await ask()
      await delay(ASK_PAUSE_MS)
    }
  })
  await delay(1_000)
  for (const shard of [1, 0]) {
    await world.stopShard(shard)
    await delay(1_000)
    await world.startShard(shard, 'kept')
    await world.whenServing()
    await delay(2_000)
  }
  going = false
  await Promise.all([writing, ...asking])
  assert.equal(await ask({ at_least: written }), posted, 'every event once')
  t.diagnostic(JSON.stringify({ ...tally, posted }))
  assert.deepEqual({ wrong: tally.wrong, failed: tally.failed, partial: tally.partial }, { wrong: 0, failed: 0, partial: 0 }, trouble.join('\n')) // biome-ignore format: one line
  assert.ok(tally.asked > 10, `only ${tally.asked} questions`)
})

async function send(at: string, path: string, statement: unknown) {
  const response = await fetch(`http://${at}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(statement),
  })
  return { status: response.status, body: JSON.parse(await response.text()) as Record<string, unknown> }
}
