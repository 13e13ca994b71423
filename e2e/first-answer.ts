import { generateEvents, type LoadEvent } from './load/generate-events.ts'
import { postEvents } from './load/post-events.ts'
import { Recount, type Recounted } from './load/recount.ts'

export type Comparison = Readonly<{
  events_sent: number
  answer: Readonly<Record<string, unknown>>
  recount: Readonly<Record<string, unknown>>
  equal: boolean
}>

const BATCH_EVENTS = 1_000
const POSTS_OPEN_MAX = 8
const DUPLICATE_SHARE = 0.05

/**
 * Sends `events` distinct events with 5 % duplicates, out of order in time, to two tables; asks the query Service what
 * it counted, by region; and compares with a recount of what was sent that shares nothing with TrueNow.
 */
export async function firstAnswer(
  urls: Readonly<{ gateway: string; query: string }>,
  tables: ReadonlyArray<Readonly<{ namespace: string; table: string }>>,
  options: Readonly<{ events: number; seed: number; run: string }>,
): Promise<Comparison> {
  const nowUs = Date.now() * 1_000
  const spreadUs = 300_000_000
  let sent = 0
  const answer: Record<string, unknown> = {}
  const recount: Record<string, unknown> = {}
  for (const [index, target] of tables.entries()) {
    const counted = new Recount()
    const events = Math.ceil(options.events / tables.length)
    const { run } = options
    const load = { seed: options.seed + index, run, events, duplicateShare: DUPLICATE_SHARE, nowUs, spreadUs }
    const positions = await postAll(urls.gateway, target, generateEvents(load), (event) => {
      counted.add(event)
      sent += 1
    })
    const range = { startUs: nowUs - spreadUs, endUs: nowUs }
    answer[target.namespace] = await askByRegion(urls.query, target, { ...range, run, positions })
    recount[target.namespace] = counted.rows()
  }
  return { events_sent: sent, answer, recount, equal: JSON.stringify(answer) === JSON.stringify(recount) }
}

/** Posts in batches, several at a time, and answers the greatest acknowledged position of each slot. */
async function postAll(
  gateway: string,
  target: Readonly<{ namespace: string; table: string }>,
  events: Iterable<LoadEvent>,
  onSent: (event: LoadEvent) => void,
): Promise<Record<string, number>> {
  const positions: Record<string, number> = {}
  const open = new Set<Promise<void>>()
  const post = async (batch: readonly LoadEvent[]) => {
    const { positions: written } = await postEvents(gateway, target, batch, 60_000)
    for (const [slot, offset] of Object.entries(written))
      positions[slot] = Math.max(positions[slot] ?? -1, offset)
  }
  let batch: LoadEvent[] = []
  const flush = async () => {
    const one: Promise<void> = post(batch).finally(() => open.delete(one))
    open.add(one)
    batch = []
    if (open.size >= POSTS_OPEN_MAX) await Promise.race(open)
  }
  for (const event of events) {
    onSent(event)
    batch.push(event)
    if (batch.length === BATCH_EVENTS) await flush()
  }
  if (batch.length > 0) await flush()
  await Promise.all(open)
  return positions
}

async function askByRegion(
  query: string,
  target: Readonly<{ namespace: string; table: string }>,
  asked: Readonly<{ startUs: number; endUs: number; run: string; positions: Record<string, number> }>,
): Promise<Recounted[]> {
  const response = await fetch(`${query}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      start_time: asked.startUs,
      end_time: asked.endUs,
      namespace: target.namespace,
      table: target.table,
      filters: { product: { like: `%@${asked.run}` } },
      group_by: ['region'],
      aggregates: [
        { aggregate: 'count' },
        { aggregate: 'sum', metric: 'revenue' },
        { aggregate: 'sum', metric: 'items' },
      ],
      order_by: [{ column: 'region' }],
      at_least: asked.positions,
      timeout_ms: 30_000,
    }),
    signal: AbortSignal.timeout(60_000),
  })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`The query answered ${response.status}: ${text}`)
  const { rows } = JSON.parse(text) as { rows: Recounted[] }
  return rows.map(({ region, count, sum_revenue, sum_items }) => ({ region, count, sum_revenue, sum_items }))
}
