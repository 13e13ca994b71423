import { isOutOfRange, type KafkaCluster, READ_COMMITTED, readFetched } from './kafka-cluster.ts'
import type { KafkaRecord } from './kafka-port.ts'

/**
 * The record at one offset, without its headers; undefined where retention deleted it, or none came yet. Asks a second
 * time, with fresh metadata, when the first try fails. Errors: those of kafkajs.
 */
export async function readRecord(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  offset: number,
): Promise<KafkaRecord | undefined> {
  await cluster.addTargetTopic(topic)
  try {
    return await ask(cluster, topic, partition, offset)
  } catch {
    await cluster.refreshMetadata()
    return ask(cluster, topic, partition, offset)
  }
}

async function ask(cluster: KafkaCluster, topic: string, partition: number, offset: number) {
  const [nodeId = ''] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  const broker = await cluster.findBroker({ nodeId })
  const partitions = [{ partition, fetchOffset: String(offset), maxBytes: 1 }] // At least one batch comes anyway.
  const request = {
    maxWaitTime: 1,
    minBytes: 0,
    maxBytes: 1,
    isolationLevel: READ_COMMITTED,
    topics: [{ topic, partitions }],
  }
  const answer = await broker.fetch(request).catch((error: unknown) => {
    if (isOutOfRange(error)) return undefined
    throw error
  })
  const data = answer?.responses[0]?.partitions[0]
  const messages = data === undefined ? [] : readFetched(topic, offset, data).messages
  const found = messages.find((message) => Number(message.offset) === offset)
  if (found === undefined) return undefined
  return { offset, timestampMs: Number(found.timestamp), headers: {}, value: found.value ?? Buffer.alloc(0) }
}
