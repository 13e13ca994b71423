import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Event } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import { checkValue, type EventValue, type Scalar } from '@truenow/kernels/ingest/check-value.ts'
import type { EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { EVENTS_MAX, type ReadBody, type Rejection } from '@truenow/kernels/ingest/read-body.ts'

/** Reads events that came by gRPC, by the same rules as JSON. */
export function readMessages(events: readonly Event[], schema: EventSchema, nowUs: number): ReadBody {
  if (events.length > EVENTS_MAX) {
    throw new TrueNowError(
      'TN_BODY_TOO_LARGE',
      `More than ${EVENTS_MAX} events (EVENTS_MAX); send them in several requests.`,
    )
  }
  const rows: Array<readonly EventValue[]> = []
  const rejections: Rejection[] = []
  for (const [index, event] of events.entries()) {
    const read = readMessage(event, schema, nowUs)
    if ('values' in read) rows.push(read.values)
    else rejections.push({ index, path: `events[${index}].${read.column}`, message: read.message })
  }
  return { received: events.length, rows, rejections }
}

function readMessage(
  event: Event,
  schema: EventSchema,
  nowUs: number,
): { values: EventValue[] } | { column: string; message: string } {
  const { definition } = schema
  const given = new Map<string, Scalar>([
    [definition.idColumn, event.eventId],
    [definition.timeColumn, Number(event.eventTimeUs)],
  ])
  for (const [name, { kind }] of Object.entries(event.columns)) {
    if (!schema.byName.has(name)) return { column: name, message: 'is not a column of the table' }
    if (given.has(name))
      return { column: name, message: 'is a field of the event itself, not one of its columns' }
    given.set(name, kind.value === undefined ? null : asScalar(kind.value))
  }
  const values: EventValue[] = []
  for (const column of schema.columns) {
    const scalar = given.get(column.name) ?? null
    if (scalar === null && !column.nullable)
      return { column: column.name, message: 'is missing and the column is not nullable' }
    const { value, problem } = checkValue(column, scalar, nowUs, definition.maxFutureSkewUs)
    if (problem !== undefined) return { column: column.name, message: problem }
    values.push(value ?? null)
  }
  return { values }
}

function asScalar(value: string | bigint | number | boolean): Scalar {
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}
