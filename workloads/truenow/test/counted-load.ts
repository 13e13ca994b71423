import assert from 'node:assert/strict'
import type { QueryAnswer } from '@truenow/contracts/query-statement.ts'

/**
 * Events for the demo table and questions about them. Whoever writes knows what was written, so every single answer is
 * compared with a recount: none may be wrong, none partial.
 */
export function createCountedLoad({ gateway, query }: Readonly<{ gateway: string; query: string }>) {
  const startUs = Date.now() * 1_000 - 600_000_000
  const written: Record<string, number> = {}
  const total = { events: 0, revenue: 0 }
  const send = (url: string, body: unknown) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
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
    const response = await send(`http://${gateway}/v1/namespaces/production/tables/events/events`, events)
    const text = await response.text()
    assert.equal(response.status, 200, text)
    const { positions } = JSON.parse(text) as { positions: Record<string, number> }
    for (const [slot, offset] of Object.entries(positions))
      written[slot] = Math.max(written[slot] ?? -1, offset)
    total.events += count
    total.revenue += events.reduce((sum, { revenue }) => sum + revenue, 0)
  }

  async function assertEqualsRecount(): Promise<void> {
    const response = await send(`http://${query}/v1/query`, {
      start_time: startUs,
      end_time: startUs + 700_000_000,
      namespace: 'production',
      table: 'events',
      at_least: written,
      aggregates: [
        { aggregate: 'count', as: 'events' },
        { aggregate: 'sum', metric: 'revenue', as: 'revenue' },
      ],
    })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    const answer = JSON.parse(text) as QueryAnswer
    assert.equal(answer.partial, false, text)
    assert.deepEqual(answer.rows, [total])
  }

  /** Writes and asks, one after the other, until `over`; answers how many answers were right. */
  async function run(over: AbortSignal): Promise<number> {
    let answers = 0
    while (!over.aborted) {
      await post(40)
      await Promise.all([assertEqualsRecount(), assertEqualsRecount()])
      answers += 2
    }
    return answers
  }
  return { post, assertEqualsRecount, run }
}
