import type { Clock } from '@truenow/chassis/clock.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { buildBlock } from '@truenow/kernels/ingest/build-block.ts'
import type { EventValue } from '@truenow/kernels/ingest/check-value.ts'
import { chooseLinger, LINGER_MS_MIN } from '@truenow/kernels/ingest/choose-linger.ts'
import type { EventSchema } from '@truenow/kernels/ingest/event-schema.ts'
import { ROWS_BYTES_MAX, rowBytes } from '@truenow/kernels/ingest/row-bytes.ts'
import type { GatewayMetrics } from './metrics.ts'

export type BatcherParts = Readonly<{
  kafka: KafkaPort
  clock: Clock
  metrics: GatewayMetrics
  rowsMax: number
  /** Told of every byte that begins or ceases to wait. */
  onBytes: (difference: number) => void
}>
type Row = readonly EventValue[]
type Batch = {
  readonly schema: EventSchema
  readonly rows: Row[]
  bytes: number
  readonly openedMs: number
  /** Rows of the request that opened it: what came after is what lingering gained. */
  readonly firstRows: number
  readonly settled: Promise<number>
  readonly resolve: (offset: number) => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers the rows of one slot into blocks and writes them one at a time, so that the slot's order is that of the requests.
 * A block is sealed when it is full (`rowsMax`, ROWS_BYTES_MAX), or when its linger is over and its predecessor is acknowledged.
 */
export class SlotBatcher {
  private readonly parts: BatcherParts
  private readonly topic: string
  private readonly slot: number
  private open: Batch | undefined
  private readonly sealed: Batch[] = []
  private inFlight: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private lingerMs = LINGER_MS_MIN

  constructor(parts: BatcherParts, topic: string, slot: number) {
    this.parts = parts
    this.topic = topic
    this.slot = slot
  }

  get idle(): boolean {
    return this.open === undefined && this.sealed.length === 0 && this.inFlight === undefined
  }

  /**
   * Adds rows of one request; resolves with the offset of the last block that holds one of them, once all are acknowledged.
   * Rejects if one block fails: some of the rows may stand in the log, and a resend with the same ids is safe.
   */
  async add(schema: EventSchema, rows: readonly Row[]): Promise<number> {
    const blocks = new Set<Promise<number>>()
    let bytes = 0
    for (const [index, row] of rows.entries()) {
      const size = rowBytes(schema, row)
      if (this.open !== undefined && this.open.bytes + size > ROWS_BYTES_MAX) this.seal()
      const batch = this.batchFor(schema, rows.length - index)
      batch.rows.push(row)
      batch.bytes += size
      bytes += size
      blocks.add(batch.settled)
      if (batch.rows.length >= this.parts.rowsMax) this.seal()
    }
    this.parts.onBytes(bytes)
    this.pump()
    const outcomes = await Promise.allSettled(blocks)
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return Math.max(...outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : -1)))
  }

  /** Writes what is open without waiting; resolves when nothing is left. */
  async flush(): Promise<void> {
    this.seal()
    this.pump()
    while (this.inFlight !== undefined) await this.inFlight
  }

  private batchFor(schema: EventSchema, rows: number): Batch {
    if (this.open !== undefined && this.open.schema !== schema) this.seal() // A new table version: blocks name theirs.
    if (this.open === undefined) {
      const { promise: settled, resolve, reject } = Promise.withResolvers<number>()
      settled.catch(() => {}) // Every request that waits for it handles it; a request may be gone.
      const openedMs = this.parts.clock.monotonicMs()
      this.open = { schema, rows: [], bytes: 0, openedMs, firstRows: rows, settled, resolve, reject }
    }
    return this.open
  }

  private seal(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.open === undefined) return
    this.sealed.push(this.open)
    this.open = undefined
  }

  private pump(): void {
    if (this.inFlight !== undefined) return
    const next = this.sealed.shift()
    if (next !== undefined) {
      this.inFlight = this.write(next).finally(() => {
        this.inFlight = undefined
        this.pump()
      })
      return
    }
    if (this.open === undefined || this.timer !== undefined) return
    const waitedMs = this.parts.clock.monotonicMs() - this.open.openedMs
    const due = () => {
      const { open } = this
      if (open !== undefined) {
        const gained = Math.max(0, open.rows.length - open.firstRows)
        this.lingerMs = chooseLinger(this.lingerMs, gained, this.parts.clock.monotonicMs() - open.openedMs)
      }
      this.seal()
      this.pump()
    }
    if (waitedMs >= this.lingerMs) due()
    else this.timer = setTimeout(due, this.lingerMs - waitedMs)
  }

  private async write(batch: Batch): Promise<void> {
    const { kafka, clock, metrics } = this.parts
    const startedMs = clock.monotonicMs()
    try {
      const block = buildBlock(batch.schema, batch.rows)
      const { offset } = await kafka.produce(this.topic, this.slot, block)
      metrics.produceSeconds.observe((clock.monotonicMs() - startedMs) / 1_000)
      metrics.blockRows.observe(batch.rows.length)
      batch.resolve(offset)
    } catch (error) {
      metrics.unknownAppends.inc()
      batch.reject(error)
    } finally {
      this.parts.onBytes(-batch.bytes)
    }
  }
}
