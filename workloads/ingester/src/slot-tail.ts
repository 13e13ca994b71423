import type { Clock } from '@truenow/chassis/clock.ts'
import type { KafkaPort, KafkaRecord, LogProgress } from '@truenow/chassis/kafka-port.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import type { Verdict } from './judge-record.ts'

/** One record as subscribers get it, judged once. */
export type TailEntry = Readonly<{
  offset: number
  appendTimeUs: number
  checksum: number
  value: Buffer
  /** Why it is a dead letter; undefined = it is a block. */
  deadReason: string | undefined
}>
/** Judges a record; waits, instead of guessing, while its table version is unknown. */
export type Judge = (
  value: Buffer,
  signal: AbortSignal,
) => Promise<Exclude<Verdict, { kind: 'unknown-version' }>>
export type TailParts = Readonly<{
  kafka: KafkaPort
  clock: Clock
  /** Whose log it is, for progress. */
  table: Readonly<{ namespace: string; name: string }>
  topic: string
  slot: number
  judge: Judge
  bytesMax: number
  onBytes: (difference: number) => void
}>

const VERIFY_PERIOD_MS = 10_000

/**
 * Follows the end of one slot's log for all its subscribers and keeps the newest records, up to `bytesMax`. Subscribers
 * pull: one that is slow falls behind the kept records, reads Kafka on its own, and delays nobody.
 */
export class SlotTail {
  readonly table: TailParts['table']
  readonly slot: number
  /** Next offset that the follower will hand over. */
  nextOffset: number
  endOffset: number
  /** Every record from here on is kept, whether or not one stands at this very offset. */
  keptFrom: number
  /** Wall clock, µs, when a fetch last answered. */
  fetchedAtUs = 0
  subscribers = 0
  idleSinceMs: number
  /** Set once the tail has ended; subscribers end with it and come back by a new, checked subscription. */
  failure: unknown
  private readonly parts: TailParts
  private readonly entries: TailEntry[] = []
  private bytes = 0
  private readonly ending = new AbortController()
  private readonly wakes = new Set<() => void>()
  private readonly following: Promise<void>
  private verifiedAtMs: number

  constructor(parts: TailParts, nextOffset: number) {
    this.parts = parts
    this.table = parts.table
    this.slot = parts.slot
    this.nextOffset = nextOffset
    this.endOffset = nextOffset
    this.keptFrom = nextOffset
    this.idleSinceMs = parts.clock.monotonicMs()
    this.verifiedAtMs = this.idleSinceMs
    const { topic, slot, kafka } = parts
    const position = { topic, partition: slot, nextOffset }
    this.following = kafka
      .followPartition(position, (records, progress) => this.take(records, progress), this.ending.signal)
      .catch((error: unknown) => this.fail(error))
  }

  /** Kept records from `offset` on, at most `entriesMax`; undefined when some of them are not kept (any more). */
  read(offset: number, entriesMax: number): readonly TailEntry[] | undefined {
    if (offset < this.keptFrom) return undefined
    let [low, high] = [0, this.entries.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.entries[middle]?.offset ?? 0) < offset) low = middle + 1
      else high = middle
    }
    return this.entries.slice(low, low + entriesMax)
  }

  /** Resolves at the next change (records, progress, failure), after `ms`, or when `signal` aborts. */
  changed(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      const { wakes } = this
      function done() {
        clearTimeout(timer)
        wakes.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      wakes.add(done)
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted) done()
    })
  }

  async close(): Promise<void> {
    this.ending.abort()
    await this.following
    this.parts.onBytes(-this.bytes)
    this.bytes = 0
    this.fail(new Error('the tail was released'))
  }

  private take(records: readonly KafkaRecord[], progress: LogProgress): void | Promise<void> {
    if (records.length > 0) return this.append(records, progress)
    this.progressed(progress)
    const nowMs = this.parts.clock.monotonicMs()
    if (nowMs - this.verifiedAtMs < VERIFY_PERIOD_MS) return
    this.verifiedAtMs = nowMs
    return this.verify()
  }

  private async append(records: readonly KafkaRecord[], progress: LogProgress): Promise<void> {
    for (const { offset, timestampMs, value } of records) {
      const verdict = await this.parts.judge(value, this.ending.signal)
      const deadReason = verdict.kind === 'dead-letter' ? verdict.reason : undefined
      // A copy: the slice would keep the whole fetch response alive.
      const copy = Buffer.from(value)
      const entry = {
        offset,
        appendTimeUs: timestampMs * 1_000,
        checksum: crc32c(copy),
        value: copy,
        deadReason,
      }
      this.entries.push(entry)
      this.bytes += copy.length
      this.parts.onBytes(copy.length)
    }
    while (this.bytes > this.parts.bytesMax && this.entries.length > 1) {
      const oldest = this.entries.shift()
      if (oldest === undefined) break
      this.bytes -= oldest.value.length
      this.parts.onBytes(-oldest.value.length)
      this.keptFrom = oldest.offset + 1
    }
    this.progressed(progress)
  }

  private progressed({ nextOffset, endOffset, fetchedAtMs }: LogProgress): void {
    this.nextOffset = nextOffset
    this.endOffset = endOffset
    const { clock } = this.parts
    // Judging may have waited long since that fetch: of what the log holds now it says nothing.
    this.fetchedAtUs = Math.round(clock.nowUs() - (clock.monotonicMs() - fetchedAtMs) * 1_000)
    this.wakeAll()
  }

  /** A topic that was deleted and made again may have grown past our position: then another record stands at our last one. */
  private async verify(): Promise<void> {
    const last = this.entries.at(-1)
    if (last === undefined) return
    const { kafka, topic, slot } = this.parts
    const record = await kafka.readRecord(topic, slot, last.offset)
    if (record !== undefined && crc32c(record.value) === last.checksum) return
    const { startOffset } = await kafka.offsetRange(topic, slot)
    if (record === undefined && last.offset < startOffset) return // Retention took it.
    throw new Error(`the record at ${topic}/${slot}@${last.offset} is another one now`)
  }

  private fail(error: unknown): void {
    this.failure ??= error ?? new Error('the log is not followed any more')
    this.wakeAll()
  }

  private wakeAll(): void {
    for (const wake of [...this.wakes]) wake()
  }
}
