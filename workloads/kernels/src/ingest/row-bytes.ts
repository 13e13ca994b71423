import { BLOCK_BYTES_MAX } from '@truenow/contracts/wire/block-v1.ts'
import type { EventValue } from './check-value.ts'
import type { EventSchema } from './event-schema.ts'

/**
 * What rows of one block may take together, by `rowBytes`: in UTF-8 a character has up to three bytes, so that a block
 * of them stays below BLOCK_BYTES_MAX whatever its text is.
 */
export const ROWS_BYTES_MAX = BLOCK_BYTES_MAX / 4

/** Bytes that a row takes in a block and in memory, about: a character of text counts as one. For budgets. */
export function rowBytes(schema: EventSchema, values: readonly EventValue[]): number {
  let bytes = schema.rowBytesMax
  for (const value of values) if (typeof value === 'string') bytes += value.length
  return bytes
}

/** Why a row fits no block, as the end of a sentence that begins with its path; undefined = it fits. */
export function rowProblem(schema: EventSchema, values: readonly EventValue[]): string | undefined {
  const bytes = rowBytes(schema, values)
  return bytes <= ROWS_BYTES_MAX ? undefined : `takes ${bytes} bytes; one event may take ${ROWS_BYTES_MAX}`
}
