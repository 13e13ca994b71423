import { createRequire } from 'node:module'
import kafkajs, { type Kafka } from 'kafkajs'
import { clusterFactory } from './kafka-cluster-factory.ts'

const { KafkaJSProtocolError } = kafkajs

/*
 * The part of kafkajs below its consumer: brokers, metadata and single requests. Its consumer cannot be told which
 * partitions to read; it joins a group, forgets a seek at every rejoin and rejoins at every leader change, and a shared
 * one must stop to take another partition. Fetch requests of our own have none of that: they name partition and offset.
 * These classes are not exported by kafkajs, so the version is pinned exactly, and kafka-client.test.ts runs over them.
 */
export type FetchedMessage = Readonly<{
  offset: string
  timestamp: string
  value: Buffer | null
  headers: Readonly<Record<string, Buffer | string | undefined>>
}>
export type FetchedPartition = Readonly<{
  partition: number
  highWatermark: string
  abortedTransactions: readonly unknown[]
  messages: readonly FetchedMessage[]
}>
export type Broker = Readonly<{
  fetch: (
    request: Readonly<{
      maxWaitTime: number
      minBytes: number
      maxBytes: number
      isolationLevel: number
      topics: ReadonlyArray<
        Readonly<{
          topic: string
          partitions: ReadonlyArray<Readonly<{ partition: number; fetchOffset: string; maxBytes: number }>>
        }>
      >
    }>,
  ) => Promise<
    Readonly<{
      responses: ReadonlyArray<Readonly<{ topicName: string; partitions: readonly FetchedPartition[] }>>
    }>
  >
  listOffsets: (
    request: Readonly<{
      isolationLevel: number
      topics: ReadonlyArray<
        Readonly<{
          topic: string
          partitions: ReadonlyArray<Readonly<{ partition: number; timestamp: number }>>
        }>
      >
    }>,
  ) => Promise<
    Readonly<{
      responses: ReadonlyArray<Readonly<{ partitions: ReadonlyArray<Readonly<{ offset: string }>> }>>
    }>
  >
  offsetCommit: (request: Readonly<Record<string, unknown>>) => Promise<unknown>
}>
export type KafkaCluster = Readonly<{
  connect: () => Promise<void>
  disconnect: () => Promise<void>
  refreshMetadata: () => Promise<void>
  refreshMetadataIfNecessary: () => Promise<void>
  addTargetTopic: (topic: string) => Promise<void>
  findBroker: (at: Readonly<{ nodeId: string }>) => Promise<Broker>
  findLeaderForPartitions: (
    topic: string,
    partitions: readonly number[],
  ) => Readonly<Record<string, number[]>>
  findGroupCoordinator: (group: Readonly<{ groupId: string }>) => Promise<Broker>
}>
type Batch = Readonly<{
  messages: readonly FetchedMessage[]
  messagesWithinOffset: readonly FetchedMessage[]
}>
type BatchClass = new (topic: string, fetchedOffset: string, data: FetchedPartition) => Batch

/** Isolation level of every fetch: records of aborted transactions are left out. */
export const READ_COMMITTED = 1
const require = createRequire(import.meta.url)
const BatchOfConsumer = require('kafkajs/src/consumer/batch.js') as BatchClass

/** A connection pool of its own: long polls must not stand in front of other requests on one connection. */
export function createCluster(kafka: Kafka): KafkaCluster {
  return clusterFactory<KafkaCluster>(kafka).create({
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    isolationLevel: READ_COMMITTED,
  })
}

/**
 * The records of one fetched partition from `fetchOffset` on, without aborted and control records, and the offset to go on
 * from: past those as well, so that a reader is never held up by records that nobody may see.
 */
export function readFetched(
  topic: string,
  fetchOffset: number,
  data: FetchedPartition,
): Readonly<{ messages: readonly FetchedMessage[]; nextOffset: number }> {
  const { messages, messagesWithinOffset } = new BatchOfConsumer(topic, String(fetchOffset), data)
  const last = messagesWithinOffset.at(-1)
  return { messages, nextOffset: last === undefined ? fetchOffset : Number(last.offset) + 1 }
}

/** Whether a broker said that what was asked for is not in the log. */
export const isOutOfRange = (error: unknown): boolean =>
  error instanceof KafkaJSProtocolError && error.type === 'OFFSET_OUT_OF_RANGE'

/** The partition that a broker said is out of range; undefined for any other failure. */
export function outOfRange(error: unknown): Readonly<{ topic: string; partition: number }> | undefined {
  if (!isOutOfRange(error)) return undefined
  const { topic, partition } = error as unknown as { topic?: string; partition?: number }
  return topic === undefined || partition === undefined ? undefined : { topic, partition }
}
