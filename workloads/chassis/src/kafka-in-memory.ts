import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Clock } from './clock.ts'
import type { KafkaPort, KafkaRecord, LogPosition, Take, TopicSettings } from './kafka-port.ts'

type Partition = { startOffset: number; records: KafkaRecord[]; waiting: Set<() => void> }
type Topic = { settings: TopicSettings; partitions: Partition[] }

/** What tests do to a log and production never does. */
export type KafkaInMemory = KafkaPort &
  Readonly<{
    /** Deletes records below `startOffset`, as retention would. */
    truncate: (topic: string, partition: number, startOffset: number) => void
    /** Until called with false, every produce fails with an unknown outcome, and nothing is written. */
    setAway: (away: boolean) => void
    cursors: ReadonlyMap<string, ReadonlyMap<number, number>>
  }>

const RECORDS_A_TURN_MAX = 500

/** The log of dev mode and of fast tests: the same promises as Kafka's port, gone with the process. */
export function createKafkaInMemory(options: Readonly<{ clock: Clock }>): KafkaInMemory {
  const { clock } = options
  const topics = new Map<string, Topic>()
  const cursors = new Map<string, ReadonlyMap<number, number>>()
  let away = false
  const partitionOf = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition]
    if (found === undefined)
      throw new TrueNowError('TN_KAFKA_UNAVAILABLE', `There is no ${topic}/${partition}.`)
    return found
  }
  return {
    cursors,
    produce: async (topic, partition, value, headers = {}) => {
      if (away) throw new TrueNowError('TN_KAFKA_UNAVAILABLE', 'The in-memory log was told to be away.')
      const log = partitionOf(topic, partition)
      const offset = log.startOffset + log.records.length
      const copies = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text, 'utf8')])
      const timestampMs = Math.floor(clock.nowUs() / 1_000)
      log.records.push({
        offset,
        timestampMs,
        headers: Object.fromEntries(copies),
        value: Buffer.from(value),
      })
      for (const wake of log.waiting) wake()
      return { offset }
    },
    followPartition: (position, take, signal) =>
      follow(() => partitionOf(position.topic, position.partition), position, take, signal, clock),
    readRecord: async (topic, partition, offset) => {
      const log = partitionOf(topic, partition)
      return log.records[offset - log.startOffset]
    },
    offsetRange: async (topic, partition) => {
      const { startOffset, records } = partitionOf(topic, partition)
      return { startOffset, endOffset: startOffset + records.length }
    },
    createTopic: async (topic, settings) => {
      if (topics.has(topic)) return false
      const partitions = Array.from({ length: settings.partitions }, () => ({
        startOffset: 0,
        records: [],
        waiting: new Set<() => void>(),
      }))
      topics.set(topic, { settings, partitions })
      return true
    },
    describeTopic: async (topic) => topics.get(topic)?.settings,
    deleteTopic: async (topic) => {
      const gone = topics.get(topic)
      topics.delete(topic)
      for (const { waiting } of gone?.partitions ?? []) for (const wake of waiting) wake()
    },
    publishCursors: async (group, topic, nextOffsets) =>
      void cursors.set(`${group} ${topic}`, new Map(nextOffsets)),
    reachable: async () => !away,
    trouble: () => (away ? { reason: 'KafkaUnreachable', message: 'The log in memory is away.' } : undefined),
    close: async () => {},
    truncate: (topic, partition, startOffset) => {
      const log = partitionOf(topic, partition)
      log.records.splice(0, startOffset - log.startOffset)
      log.startOffset = startOffset
    },
    setAway: (next) => {
      away = next
    },
  }
}

async function follow(
  partition: () => Partition,
  position: LogPosition,
  take: Take,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  let next = position.nextOffset
  while (!signal.aborted) {
    const log = partition()
    const endOffset = log.startOffset + log.records.length
    if (next < log.startOffset || next > endOffset) {
      const message = `${position.topic}/${position.partition} holds [${log.startOffset}, ${endOffset}), ${next} was asked.`
      throw new TrueNowError('TN_OFFSET_OUT_OF_RANGE', message, {
        details: { startOffset: log.startOffset, endOffset },
      })
    }
    const records = log.records.slice(next - log.startOffset, next - log.startOffset + RECORDS_A_TURN_MAX)
    next += records.length
    await take(records, { nextOffset: next, endOffset, fetchedAtMs: clock.monotonicMs() })
    if (log.startOffset + log.records.length === next) await moreOrIdle(log, signal)
    else await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Waits for the next record, at most as long as a fetch of a real broker would stand open. */
function moreOrIdle(log: Partition, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 250)
    function done() {
      clearTimeout(timer)
      log.waiting.delete(done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    log.waiting.add(done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
