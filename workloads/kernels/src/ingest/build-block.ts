import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { buildColumns } from './build-columns.ts'
import type { EventValue } from './check-value.ts'
import type { EventSchema } from './event-schema.ts'

/** Turns checked rows, at least one, into one block. Cost: O(rows × columns). */
export function buildBlock(schema: EventSchema, rows: ReadonlyArray<readonly EventValue[]>): Buffer {
  return encodeBlock(schema.definition.version, rows.length, buildColumns(schema, rows))
}
