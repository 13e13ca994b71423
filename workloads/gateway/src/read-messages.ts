import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Event } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import { checkValue, type EventValue, isProblem, type Scalar } from '@truenow/kernels/ingest/check-value.ts'
import type { EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { EVENT_KEYS_MAX } from '@truenow/kernels/ingest/json-event-reader.ts'
import { createNameHints } from '@truenow/kernels/ingest/name-hints.ts'
import { EVENTS_MAX, type ReadBody, type Rejection } from '@truenow/kernels/ingest/read-body.ts'
import { rowProblem } from '@truenow/kernels/ingest/row-bytes.ts'

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
  const hint = createNameHints(schema.byName)
  for (const [index, event] of events.entries()) {
    const read = readMessage(event, schema, nowUs, hint)
    if ('values' in read) rows.push(read.values)
    else {
      const path = read.column === undefined ? `events[${index}]` : `events[${index}].${read.column}`
      rejections.push({ index, path, message: read.message })
    }
  }
  return { received: events.length, rows, rejections }
}

function readMessage(
  event: Event,
  schema: EventSchema,
  nowUs: number,
  hint: (name: string) => string,
): { values: EventValue[] } | { column?: string; message: string } {
  const { definition } = schema
  const given = new Map<string, Scalar>([
    [definition.idColumn, event.eventId],
    [definition.timeColumn, asScalar(event.eventTimeUs)],
  ])
  const names = Object.entries(event.columns)
  if (names.length > EVENT_KEYS_MAX)
    return { message: `has ${names.length} columns; at most ${EVENT_KEYS_MAX} are allowed (EVENT_KEYS_MAX)` }
  for (const [name, { kind }] of names) {
    if (!schema.byName.has(name)) {
      const column = name.length > 64 ? `${name.slice(0, 64)}…` : name
      return { column, message: `is not a column of the table${hint(name)}` }
    }
    if (given.has(name))
      return { column: name, message: 'is a field of the event itself, not one of its columns' }
    given.set(name, kind.value === undefined ? null : asScalar(kind.value))
  }
  const values: EventValue[] = []
  for (const column of schema.columns) {
    const scalar = given.get(column.name)
    if (scalar === undefined && !column.nullable)
      return { column: column.name, message: 'is missing and the column is not nullable' }
    const checked = checkValue(column, scalar ?? null, nowUs, definition.maxFutureSkewUs)
    if (isProblem(checked)) return { column: column.name, message: checked.problem }
    values.push(checked)
  }
  const problem = rowProblem(schema, values)
  return problem === undefined ? { values } : { message: problem }
}

function asScalar(value: string | bigint | number | boolean): Scalar {
  if (typeof value !== 'bigint') return value
  const nearest = Number(value)
  return Number.isSafeInteger(nearest) ? nearest : { digits: String(value), nearest }
}
