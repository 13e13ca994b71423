import type { TableView } from '@truenow/chassis/catalog-view.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { slotOf } from '@truenow/contracts/partition-hash.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { rowBytes } from '@truenow/kernels/ingest/build-block.ts'
import type { EventValue } from '@truenow/kernels/ingest/check-value.ts'
import { compileEventSchema, type EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { type BatcherParts, SlotBatcher } from './slot-batcher.ts'

type Row = readonly EventValue[]
/** slot → offset of the last record that holds one of the request's rows. */
export type Positions = Readonly<Record<string, number>>
export type RowIngest = Readonly<{
  schemaOf: (definition: TableDefinition) => EventSchema
  /** Writes checked rows; resolves once Kafka acknowledged all. Errors: TN_OVERLOADED before anything waits, TN_KAFKA_UNAVAILABLE. */
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
    if (closed) throw new TrueNowError('TN_SHUTTING_DOWN', 'This gateway is shutting down; send to another.')
    const bySlot = new Map<number, { rows: Row[]; bytes: number }>()
    let bytes = 0
    for (const row of rows) {
      const key = schema.partitionColumns.map((index) => row[index] ?? null)
      const slot = slotOf(key, schema.definition.slots)
      const one = bySlot.get(slot) ?? { rows: [], bytes: 0 }
      bySlot.set(slot, one)
      one.rows.push(row)
      const size = rowBytes(schema, row)
      one.bytes += size
      bytes += size
    }
    if (bufferedBytes + bytes > bufferBytesMax) {
      const message = `${bufferedBytes} bytes wait for Kafka already and ${bytes} more pass TRUENOW_BUFFER_BYTES_MAX (${bufferBytesMax}); send the same events again later.`
      throw new TrueNowError('TN_OVERLOADED', message, { details: { limit: 'TRUENOW_BUFFER_BYTES_MAX' } })
    }
    const writes = [...bySlot].map(async ([slot, one]) => {
      const offset = await batcherOf(table.topic, slot).add(schema, one.rows, one.bytes)
      parts.metrics.produced.inc(one.rows.length)
      return [slot, offset] as const
    })
    const outcomes = await Promise.allSettled(writes)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed === undefined) {
      return Object.fromEntries(outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])))
    }
    const slots = [...bySlot.values()]
    const unwritten = outcomes.reduce(
      (sum, one, at) => sum + (one.status === 'rejected' ? (slots[at]?.rows.length ?? 0) : 0),
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
