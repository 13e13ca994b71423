import type { Kafka } from 'kafkajs'
import { clusterFactory } from './kafka-cluster-factory.ts'
import { causesOf } from './kafka-trouble.ts'

/** The part of kafkajs' cluster that keeps metadata: it asks for all topics that were ever named to it, at once. */
type Cluster = {
  targetTopics: Set<string>
  readonly brokerPool: Readonly<{
    findConnectedBroker: () => Promise<
      Readonly<{ metadata: (topics: readonly string[]) => Promise<unknown> }>
    >
  }>
  refreshMetadata: () => Promise<void>
  refreshMetadataIfNecessary: () => Promise<void>
}

/**
 * Lets every client of `kafka` outlive a deleted topic. kafkajs fails a whole refresh of metadata when one topic of it is
 * unknown, and never forgets one: after a topic was deleted, nothing of any other topic could be read or written once the
 * metadata was old. Here a topic that once was there and is unknown now is forgotten, and the refresh tried again. One that
 * never was there fails as before. Costs one request a known topic, in that case alone.
 */
export function surviveGoneTopics(kafka: Kafka): Kafka {
  const { create, replace } = clusterFactory<Cluster>(kafka)
  replace((options) => surviving(create(options)))
  return kafka
}

function surviving(cluster: Cluster): Cluster {
  const known = new Set<string>()
  const patient = (refresh: () => Promise<void>) => async () => {
    try {
      await refresh()
    } catch (error) {
      if (!isUnknownTopic(error) || !(await forgetGone(cluster, known))) throw error
      await refresh()
    }
    for (const topic of cluster.targetTopics) known.add(topic)
  }
  cluster.refreshMetadata = patient(cluster.refreshMetadata.bind(cluster))
  cluster.refreshMetadataIfNecessary = patient(cluster.refreshMetadataIfNecessary.bind(cluster))
  return cluster
}

/** Answers whether there was one to forget. */
async function forgetGone(cluster: Cluster, known: Set<string>): Promise<boolean> {
  let forgotten = false
  for (const topic of [...known]) {
    if (cluster.targetTopics.has(topic) && !(await isGone(cluster, topic))) continue
    known.delete(topic)
    forgotten = cluster.targetTopics.delete(topic) || forgotten
  }
  return forgotten
}

async function isGone({ brokerPool }: Cluster, topic: string): Promise<boolean> {
  const broker = await brokerPool.findConnectedBroker()
  return broker.metadata([topic]).then(() => false, isUnknownTopic)
}

/** Kafka says that there is no such topic (or no such partition); kafkajs wraps that where it has asked again and again. */
export const isUnknownTopic = (error: unknown): boolean =>
  causesOf(error).some(({ type }) => type === 'UNKNOWN_TOPIC_OR_PARTITION')
