import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import type { KafkaCluster } from './kafka-cluster.ts'

const { KafkaJSProtocolError } = kafkajs

const EARLIEST = -2
const LATEST = -1
const READ_UNCOMMITTED = 0
/** Where another broker leads now, or none does yet: of a topic that was just made, or after one went. */
const LEADER_MOVES = ['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']
const TRIES_MAX = 15
const PAUSE_MS = 200

/**
 * First offset of a partition and the one after its last. Waits up to 3 s for a leader, with fresh metadata each time:
 * kafkajs' admin client keeps asking the former leader for as long as its metadata is young. Errors: those of kafkajs.
 */
export async function offsetRange(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
): Promise<{ startOffset: number; endOffset: number }> {
  await cluster.addTargetTopic(topic)
  for (let tries = 1; ; tries++) {
    try {
      await cluster.refreshMetadataIfNecessary()
      return await ask(cluster, topic, partition)
    } catch (error) {
      const moves = error instanceof KafkaJSProtocolError && LEADER_MOVES.includes(error.type)
      if (!moves || tries === TRIES_MAX) throw error
      await sleep(PAUSE_MS)
      await cluster.refreshMetadata()
    }
  }
}

async function ask(cluster: KafkaCluster, topic: string, partition: number) {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  if (nodeId === undefined) throw new Error(`There is no ${topic}/${partition}.`)
  const broker = await cluster.findBroker({ nodeId })
  const offset = async (timestamp: number) => {
    const topics = [{ topic, partitions: [{ partition, timestamp }] }]
    const { responses } = await broker.listOffsets({ isolationLevel: READ_UNCOMMITTED, topics })
    const found = responses[0]?.partitions[0]?.offset
    if (found === undefined) throw new Error(`Kafka said nothing of ${topic}/${partition}.`)
    return Number(found)
  }
  return { startOffset: await offset(EARLIEST), endOffset: await offset(LATEST) }
}
