import type { LoadEvent } from './generate-events.ts'

export type Acknowledged = Readonly<{ accepted: number; positions: Readonly<Record<string, number>> }>

/**
 * Posts one batch until the gateway acknowledges all of it, sending the same ids again after any failure: a resend is
 * safe. Rejects on an answer that says the events are wrong, and when `deadlineMs` has passed.
 */
export async function postEvents(
  gatewayUrl: string,
  target: Readonly<{ namespace: string; table: string }>,
  events: readonly LoadEvent[],
  deadlineMs: number,
): Promise<Acknowledged> {
  const url = `${gatewayUrl}/v1/namespaces/${target.namespace}/tables/${target.table}/events`
  const body = JSON.stringify(events)
  const giveUpAt = performance.now() + deadlineMs
  for (;;) {
    let failure: string
    try {
      const signal = AbortSignal.timeout(10_000)
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal,
      })
      const text = await response.text()
      if (response.status === 200) {
        const answer = JSON.parse(text) as Acknowledged & { rejected: number }
        if (answer.accepted !== events.length)
          throw new WrongEvents(`${answer.rejected} events were rejected: ${text}`)
        return answer
      }
      if (response.status < 500 && response.status !== 429)
        throw new WrongEvents(`${response.status}: ${text}`)
      failure = `${response.status}: ${text}`
    } catch (error) {
      if (error instanceof WrongEvents) throw error
      failure = String((error as { cause?: unknown }).cause ?? error)
    }
    if (performance.now() > giveUpAt)
      throw new Error(`${url} did not acknowledge within ${deadlineMs} ms: ${failure}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

class WrongEvents extends Error {}
