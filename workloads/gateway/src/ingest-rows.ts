import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { slotOf } from '@truenow/contracts/partition-hash.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { EventValue } from '@truenow/kernels/ingest/check-value.ts'
import { compileEventSchema, type EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { rowBytes } from '@truenow/kernels/ingest/row-bytes.ts'
import { type BatcherParts, SlotBatcher } from './slot-batcher.ts'

type Row = readonly EventValue[]
/** slot → offset of the last record that holds one of the request's rows. */
export type Positions = Readonly<Record<string, number>>
export type RowIngest = Readonly<{
  schemaOf: (definition: TableDefinition) => EventSchema
  /**
   * Writes checked rows, and counts each as produced or rejected; resolves once Kafka acknowledged all. Errors, before
   * anything waits: TN_OVERLOADED, TN_SHUTTING_DOWN, TN_BODY_TOO_LARGE (never fits the buffer); then TN_KAFKA_UNAVAILABLE.
   */
  write: (table: TableView, schema: EventSchema, rows: readonly Row[]) => Promise<Positions>
  /** Writes what is open and waits for all that is in flight. */
  close: () => Promise<void>
}>

/** Batchers without work are forgotten beyond this many: slots of tables that nobody writes to any more. */
const BATCHERS_MAX = 65_536

/** Sends rows to their slots: hash of the partition key, modulo the table's slots, one batcher a slot. */
export function createRowIngest(parts: Omit<BatcherParts, 'onBytes'>, bufferBytesMax: number): RowIngest {
  const batchers = new Map<string, SlotBatcher>()
  const schemas = new WeakMap<TableDefinition, EventSchema>()
  let bufferedBytes = 0
  let closed = false
  const onBytes = (difference: number) => {
    bufferedBytes += difference
    parts.metrics.bufferedBytes.set(bufferedBytes)
  }
  const batcherOf = (topic: string, slot: number): SlotBatcher => {
    const key = `${topic}/${slot}`
    let batcher = batchers.get(key)
    if (batcher === undefined) {
      if (batchers.size >= BATCHERS_MAX) for (const [old, one] of batchers) if (one.idle) batchers.delete(old)
      batcher = new SlotBatcher({ ...parts, onBytes }, topic, slot)
      batchers.set(key, batcher)
    }
    return batcher
  }
  const schemaOf = (definition: TableDefinition): EventSchema => {
    const known = schemas.get(definition) ?? compileEventSchema(definition)
    schemas.set(definition, known)
    return known
  }
  const write: RowIngest['write'] = async (table, schema, rows) => {
    if (closed) {
      parts.metrics.rejected.inc({ reason: 'overloaded' }, rows.length)
      throw new TrueNowError('TN_SHUTTING_DOWN', 'This gateway is shutting down; send to another.')
    }
    const bySlot = new Map<number, Row[]>()
    let bytes = 0
    for (const row of rows) {
      const key = schema.partitionColumns.map((index) => row[index] ?? null)
      const slot = slotOf(key, schema.definition.slots)
      const some = bySlot.get(slot)
      if (some === undefined) bySlot.set(slot, [row])
      else some.push(row)
      bytes += rowBytes(schema, row)
    }
    const refusal = bufferRefusal(bufferedBytes, bytes, bufferBytesMax)
    if (refusal !== undefined) {
      parts.metrics.rejected.inc({ reason: 'overloaded' }, rows.length)
      throw refusal
    }
    const writes = [...bySlot].map(async ([slot, some]) => {
      const offset = await batcherOf(table.topic, slot).add(schema, some)
      parts.metrics.produced.inc(some.length)
      return [slot, offset] as const
    })
    const outcomes = await Promise.allSettled(writes)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed === undefined) {
      return Object.fromEntries(outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])))
    }
    const slots = [...bySlot.values()]
    const unwritten = outcomes.reduce(
      (sum, one, at) => sum + (one.status === 'rejected' ? (slots[at]?.length ?? 0) : 0),
      0,
    )
    parts.metrics.rejected.inc({ reason: 'unavailable' }, unwritten)
    throw failed.reason
  }
  return {
    schemaOf,
    write,
    close: async () => {
      closed = true
      await Promise.all([...batchers.values()].map((batcher) => batcher.flush()))
    },
  }
}

function bufferRefusal(waiting: number, more: number, bytesMax: number): TrueNowError | undefined {
  const details = { limit: 'TRUENOW_BUFFER_BYTES_MAX' }
  if (more > bytesMax) {
    const message = `The events take ${more} bytes, which never fit TRUENOW_BUFFER_BYTES_MAX (${bytesMax}); send them in several requests.`
    return new TrueNowError('TN_BODY_TOO_LARGE', message, { details })
  }
  if (waiting + more <= bytesMax) return undefined
  const message = `${waiting} bytes wait for Kafka already and ${more} more pass TRUENOW_BUFFER_BYTES_MAX (${bytesMax}); send the same events again later.`
  return new TrueNowError('TN_OVERLOADED', message, { details })
}
