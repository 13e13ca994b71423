import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Clock } from '@truenow/chassis/clock.ts'
import type { KafkaPort, KafkaRecord } from '@truenow/chassis/kafka-port.ts'
import type { SubscribeEventSchema } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import type { Cursor, CursorCheck } from './check-cursor.ts'
import type { IngesterMetrics } from './metrics.ts'
import type { Judge, SlotTail, TailEntry } from './slot-tail.ts'

export type StreamEvent = MessageInitShape<typeof SubscribeEventSchema>
export type StreamParts = Readonly<{
  kafka: KafkaPort
  clock: Clock
  metrics: IngesterMetrics
  topic: string
  slot: number
  judge: Judge
  tail: SlotTail
}>

const HEARTBEAT_MS = 1_000
/** While blocks come, the end of the log is told no more often than this. */
const HEARTBEAT_MS_MIN = 200
const ENTRIES_A_READ_MAX = 64
/** Records that a catch-up read holds for one subscriber before its partition waits. */
const CATCH_UP_BYTES_MAX = 4 << 20

/** Everything one subscriber gets: what the cursor check found, then every record after it, once, and heartbeats. */
export async function* streamSlot(
  parts: StreamParts,
  cursor: Cursor,
  check: Exclude<CursorCheck, { kind: 'log-rewritten' }>,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let previous = cursor.offset
  let next = check.kind === 'go-on' ? check.nextOffset : check.resumeOffset
  if (check.kind === 'data-loss') {
    const [firstOffset, resumeOffset] = [BigInt(check.firstOffset), BigInt(check.resumeOffset)]
    yield { event: { case: 'dataLoss', value: { firstOffset, resumeOffset } } }
    previous = check.resumeOffset - 1
  }
  const { tail, clock } = parts
  let beatAtMs = Number.NEGATIVE_INFINITY
  let beatFetchedAtUs = 0
  while (!signal.aborted) {
    if (tail.failure !== undefined) throw tail.failure
    const entries = tail.read(next, ENTRIES_A_READ_MAX)
    if (entries === undefined) {
      parts.metrics.catchUps.inc()
      const until = tail.keptFrom
      for await (const entry of catchUp(parts, next, until, signal)) {
        yield entryEvent(entry, previous)
        previous = entry.offset
      }
      next = until
      continue
    }
    // As of this read: while the entries are on their way the tail goes on, and a heartbeat covers only what was sent.
    const { nextOffset, endOffset, fetchedAtUs } = tail
    for (const entry of entries) {
      yield entryEvent(entry, previous)
      previous = entry.offset
      next = entry.offset + 1
    }
    if (entries.length === ENTRIES_A_READ_MAX) continue
    const atEnd = nextOffset >= endOffset && next <= nextOffset
    // The same fetch is told once: a subscriber must hear it when none answers any more, and go elsewhere.
    const isNews = fetchedAtUs !== beatFetchedAtUs
    const waitMs = entries.length > 0 || beatAtMs < 0 ? HEARTBEAT_MS_MIN : HEARTBEAT_MS
    if (atEnd && isNews && clock.monotonicMs() - beatAtMs >= waitMs) {
      beatAtMs = clock.monotonicMs()
      beatFetchedAtUs = fetchedAtUs
      const position = BigInt(Math.max(previous, nextOffset - 1))
      const value = { endOffset: BigInt(endOffset), position, atUs: BigInt(fetchedAtUs) }
      yield { event: { case: 'heartbeat', value } }
    }
    if (tail.read(next, 1)?.length !== 0) continue // More came while this was on its way.
    await tail.changed(HEARTBEAT_MS_MIN, signal)
  }
}

/** What a subscriber gets whose log is another one now; the stream ends after it. */
export function rewrittenEvent(cursor: Cursor, check: CursorCheck & { kind: 'log-rewritten' }): StreamEvent {
  const found = check.foundChecksum === undefined ? {} : { foundChecksum: check.foundChecksum }
  const expected = { offset: BigInt(cursor.offset), checksum: cursor.checksum }
  return {
    event: { case: 'logRewritten', value: { expected, ...found, endOffset: BigInt(check.endOffset) } },
  }
}

/** Records of [from, until) straight from Kafka, for a subscriber behind what the tail keeps. */
async function* catchUp(
  parts: StreamParts,
  from: number,
  until: number,
  signal: AbortSignal,
): AsyncGenerator<TailEntry> {
  const stopping = new AbortController()
  const queue: KafkaRecord[] = []
  let bytes = 0
  let done = false
  let resume = () => {}
  let wake = () => {}
  const take = (records: readonly KafkaRecord[], { nextOffset }: { nextOffset: number }) => {
    for (const record of records) {
      if (record.offset >= until) continue
      queue.push(record)
      bytes += record.value.length
    }
    done = nextOffset >= until
    if (done) stopping.abort()
    wake()
    if (done || bytes < CATCH_UP_BYTES_MAX) return
    return new Promise<void>((resolve) => {
      resume = resolve
    })
  }
  const position = { topic: parts.topic, partition: parts.slot, nextOffset: from }
  let failure: unknown
  const reading = parts.kafka
    .followPartition(position, take, AbortSignal.any([signal, stopping.signal]))
    .catch((error: unknown) => {
      failure = error
      wake()
    })
  try {
    while (!signal.aborted) {
      const record = queue.shift()
      if (record !== undefined) {
        bytes -= record.value.length
        if (bytes < CATCH_UP_BYTES_MAX / 2) resume()
        yield await asEntry(record, parts.judge, signal)
        continue
      }
      if (failure !== undefined) throw failure
      if (done) return
      await new Promise<void>((resolve) => {
        wake = resolve
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  } finally {
    stopping.abort()
    resume()
    await reading
  }
}

async function asEntry(
  { offset, timestampMs, value }: KafkaRecord,
  judge: Judge,
  signal: AbortSignal,
): Promise<TailEntry> {
  const verdict = await judge(value, signal)
  const deadReason = verdict.kind === 'dead-letter' ? verdict.reason : undefined
  return { offset, appendTimeUs: timestampMs * 1_000, checksum: crc32c(value), value, deadReason }
}

function entryEvent(entry: TailEntry, previous: number): StreamEvent {
  const place = {
    previousOffset: BigInt(previous),
    offset: BigInt(entry.offset),
    appendTimeUs: BigInt(entry.appendTimeUs),
    checksum: entry.checksum,
  }
  if (entry.deadReason !== undefined) {
    return { event: { case: 'deadLetter', value: { ...place, reason: entry.deadReason } } }
  }
  return { event: { case: 'block', value: { ...place, value: entry.value } } }
}
