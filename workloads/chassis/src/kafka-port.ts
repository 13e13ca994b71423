import type { KafkaTrouble } from './kafka-trouble.ts'

/** One record. Offsets are safe integers: 2^53 records at 10 M/s are 28 years. `timestampMs` is the broker's LogAppendTime. */
export type KafkaRecord = Readonly<{
  offset: number
  timestampMs: number
  headers: Readonly<Record<string, Buffer>>
  value: Buffer
}>

/** Where a follower starts: the first offset it wants. */
export type LogPosition = Readonly<{ topic: string; partition: number; nextOffset: number }>

/**
 * How far the follower is: every record below `nextOffset` was handed over or does not exist (control records, aborted
 * transactions). `endOffset` is the next offset the log would give out, as the fetch that answered at `fetchedAtMs`
 * (monotonic clock) said.
 */
export type LogProgress = Readonly<{ nextOffset: number; endOffset: number; fetchedAtMs: number }>

/**
 * Takes records in offset order, each once; also called with no records when only progress is to be told. It queues and
 * returns; a taker whose byte budget is full returns a promise, and this partition alone is paused until it settles.
 */
export type Take = (records: readonly KafkaRecord[], progress: LogProgress) => void | Promise<void>

export type TopicSettings = Readonly<{
  partitions: number
  replicationFactor: number
  /** Topic configuration by Kafka's names, such as `retention.ms`. */
  config: Readonly<Record<string, string>>
}>

/**
 * All that TrueNow asks of Kafka. Real: kafka-client.ts; in memory: kafka-in-memory.ts; one case file runs against both.
 * Errors: TN_KAFKA_UNAVAILABLE when the outcome is unknown or nothing answered in time; TN_OFFSET_OUT_OF_RANGE with
 * `details: {startOffset, endOffset}` when a follower's position was deleted by retention or lies beyond the end.
 */
export type KafkaPort = Readonly<{
  /** Appends one record with acks=all and answers its offset. One call in flight per partition keeps the caller's order. */
  produce: (
    topic: string,
    partition: number,
    value: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ offset: number }>
  /** Hands `take` every record from `nextOffset` on, until `signal` aborts (then it resolves). Rejects if it cannot go on. */
  followPartition: (position: LogPosition, take: Take, signal: AbortSignal) => Promise<void>
  /** The record at exactly this offset; undefined when there is none (gone, compacted, beyond the end). */
  readRecord: (topic: string, partition: number, offset: number) => Promise<KafkaRecord | undefined>
  /** First offset still there and the next one to be given out. */
  offsetRange: (topic: string, partition: number) => Promise<{ startOffset: number; endOffset: number }>
  /** Creates the topic; false when it is already there (whatever its settings). */
  createTopic: (topic: string, settings: TopicSettings) => Promise<boolean>
  /** Settings as the broker says them, or undefined when there is no such topic. */
  describeTopic: (topic: string) => Promise<TopicSettings | undefined>
  /** Removes the topic; no error when it is not there. */
  deleteTopic: (topic: string) => Promise<void>
  /** Publishes durable cursors as committed offsets of a group, for lag tools only: nothing reads them back. */
  publishCursors: (group: string, topic: string, nextOffsets: ReadonlyMap<number, number>) => Promise<void>
  /** True while brokers answer; for readiness, never for correctness. */
  reachable: () => Promise<boolean>
  /** Why the last look of `reachable` found none that answers; undefined after one that did, and before the first. */
  trouble: () => KafkaTrouble | undefined
  close: () => Promise<void>
}>
