import { isUtf8 } from 'node:buffer'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { EventValue } from './check-value.ts'
import type { EventSchema } from './event-schema.ts'
import { JsonEventReader, JsonSyntaxError, type ReadEvent, type Refusal } from './json-event-reader.ts'
import { rowProblem } from './row-bytes.ts'

export type BodyFormat = 'json' | 'ndjson'
export type Rejection = Refusal & Readonly<{ index: number }>
export type ReadBody = Readonly<{
  received: number
  rows: ReadonlyArray<readonly EventValue[]>
  rejections: readonly Rejection[]
}>

/** Events of one request. */
export const EVENTS_MAX = 100_000

/**
 * Reads the events of a body. A bad event is rejected alone. In a JSON array text that is not JSON refuses the whole body,
 * since nothing behind it can be trusted; in NDJSON it refuses its line.
 * Errors: TN_REQUEST_INVALID (not UTF-8, not JSON), TN_BODY_TOO_LARGE (more events than EVENTS_MAX).
 */
export function readBody(body: Buffer, format: BodyFormat, schema: EventSchema, nowUs: number): ReadBody {
  if (!isUtf8(body)) throw new TrueNowError('TN_REQUEST_INVALID', 'The body is not UTF-8; JSON must be.')
  const rows: Array<readonly EventValue[]> = []
  const rejections: Rejection[] = []
  let received = 0
  const take = (event: ReadEvent) => {
    if ('refusal' in event) {
      rejections.push({ index: received, ...event.refusal })
    } else {
      const problem = rowProblem(schema, event.values)
      if (problem === undefined) rows.push(event.values)
      else rejections.push({ index: received, path: `events[${received}]`, message: problem })
    }
    received += 1
    if (received > EVENTS_MAX) {
      throw new TrueNowError(
        'TN_BODY_TOO_LARGE',
        `More than ${EVENTS_MAX} events (EVENTS_MAX); send them in several requests.`,
      )
    }
  }
  const reader = new JsonEventReader(body, schema, nowUs)
  try {
    for (const event of format === 'ndjson' ? reader.lines() : reader.all()) take(event)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    const message = `The body is not JSON: ${error.message}. Nothing of it was taken.`
    throw new TrueNowError('TN_REQUEST_INVALID', message)
  }
  return { received, rows, rejections }
}
