import { isUtf8 } from 'node:buffer'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { EventValue } from './check-value.ts'
import type { EventSchema } from './event-schema.ts'
import { JsonEventReader, JsonSyntaxError, type ReadEvent, type Refusal } from './json-event-reader.ts'

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
  const text = body.toString('utf8')
  const rows: Array<readonly EventValue[]> = []
  const rejections: Rejection[] = []
  let received = 0
  const take = (event: ReadEvent) => {
    if ('values' in event) rows.push(event.values)
    else rejections.push({ index: received, ...event.refusal })
    received += 1
    if (received > EVENTS_MAX) {
      throw new TrueNowError(
        'TN_BODY_TOO_LARGE',
        `More than ${EVENTS_MAX} events (EVENTS_MAX); send them in several requests.`,
      )
    }
  }
  if (format === 'ndjson') readLines(text, schema, nowUs, take, () => received)
  else readWhole(text, schema, nowUs, take)
  return { received, rows, rejections }
}

function readWhole(text: string, schema: EventSchema, nowUs: number, take: (event: ReadEvent) => void): void {
  try {
    for (const event of new JsonEventReader(text, schema, nowUs).all()) take(event)
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw new TrueNowError(
      'TN_REQUEST_INVALID',
      `The body is not JSON: ${error.message}. Nothing of it was taken.`,
    )
  }
}

function readLines(
  text: string,
  schema: EventSchema,
  nowUs: number,
  take: (event: ReadEvent) => void,
  index: () => number,
): void {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, end)
    start = end + 1
    if (line.trim() === '') continue
    try {
      take(new JsonEventReader(line, schema, nowUs).only(index()))
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error
      take({ refusal: { path: `events[${index()}]`, message: `is not JSON: ${error.message} of its line` } })
    }
  }
}
