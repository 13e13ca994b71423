import { setTimeout as sleep } from 'node:timers/promises'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import kafkajs, { type Admin, type Kafka, type Producer } from 'kafkajs'
import type { Clock } from './clock.ts'
import { type KafkaAccess, PLAIN_TEXT } from './kafka-access.ts'
import { createCluster } from './kafka-cluster.ts'
import { commitCursors } from './kafka-commit.ts'
import { KafkaFollower } from './kafka-follower.ts'
import { isUnknownTopic, surviveGoneTopics } from './kafka-gone-topics.ts'
import { offsetRange } from './kafka-offset-range.ts'
import type { KafkaPort, TopicSettings } from './kafka-port.ts'
import { createKafkaProbe } from './kafka-probe.ts'
import { readRecord } from './kafka-read-record.ts'
import { kafkaUnavailable } from './kafka-trouble.ts'
import type { Log } from './log.ts'

const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs

// Our own topics hold uncompressed records; gzip is built in and zstd is in Node. Others come with topics of others.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => zstdCompressSync(buffer),
  decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
})

export type KafkaClientOptions = Readonly<{
  brokers: readonly string[]
  clientId: string
  log: Log
  clock: Clock
  /** @default plain text, without credentials */
  access?: KafkaAccess
}>

const REQUEST_TIMEOUT_MS = 10_000
const TOPIC_CHECK_MS = 100
/** Bytes that one Produce request gathers from concurrent callers. */
const PRODUCE_BYTES_MAX = 16 << 20
type Waiting = Readonly<{
  topic: string
  partition: number
  value: Buffer
  headers: Record<string, string>
  resolve: (answer: { offset: number }) => void
  reject: (error: unknown) => void
}>

/**
 * The Kafka port over kafkajs 2.2.4. Neither idempotence nor transactions of the client are relied on: an append whose
 * answer was lost may stand in the log twice, and replicas drop the second copy by its event ids.
 */
export function createKafkaClient(options: KafkaClientOptions): KafkaPort {
  const { log, clock, access = PLAIN_TEXT } = options
  const kafka = surviveGoneTopics(
    new kafkajs.Kafka({
      ...access.options,
      clientId: options.clientId,
      brokers: [...options.brokers],
      connectionTimeout: 2_000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 },
      logLevel: logLevel.WARN,
      logCreator:
        () =>
        ({ namespace, log: { message, ...fields } }) => {
          const { timestamp: _timestamp, logger: _logger, stack: _stack, ...rest } = fields
          log.debug({ ...rest, namespace }, `kafkajs: ${message}`) // What matters comes back as an error and is logged once.
        },
    }),
  )
  const admin = connectedOnce(kafka.admin({ retry: { retries: 4 } }))
  const commands = connectedCluster(kafka)
  const fetching = connectedCluster(kafka)
  const rangeOf: KafkaPort['offsetRange'] = async (topic, partition) => {
    await commands.connect()
    return unavailable(() => offsetRange(commands.cluster, topic, partition))
  }
  const follower = new KafkaFollower({ cluster: fetching.cluster, clock, log, offsetRange: rangeOf })
  const produce = createProduce(kafka)
  const probe = createKafkaProbe(kafka, access, log)
  return {
    produce: produce.one,
    followPartition: async (position, take, signal) => {
      await fetching.connect()
      await follower.follow(position, take, signal)
    },
    readRecord: async (topic, partition, offset) => {
      await commands.connect()
      return unavailable(() => readRecord(commands.cluster, topic, partition, offset))
    },
    offsetRange: rangeOf,
    createTopic: (topic, settings) => createTopic(admin, topic, settings),
    describeTopic: (topic) => describeTopic(admin, topic),
    deleteTopic: (topic) => deleteTopic(admin, topic),
    publishCursors: async (group, topic, nextOffsets) => {
      await commands.connect()
      await unavailable(() => commitCursors(commands.cluster, group, topic, nextOffsets))
    },
    reachable: probe.reachable,
    trouble: probe.trouble,
    close: async () => {
      await follower.close()
      await Promise.all([produce.close(), admin.close(), commands.close(), fetching.close(), probe.close()])
    },
  }
}

type Opened<T> = (() => Promise<T>) & { close: () => Promise<void> }

/** Connects at the first use, and anew at the next one if that failed: a failed connect() leaves kafkajs half alive. */
function connectedOnce<T extends Admin | Producer>(client: T): Opened<T> {
  let connecting: Promise<T> | undefined
  const open = () => {
    connecting ??= client.connect().then(
      () => client,
      (error: unknown) => {
        connecting = undefined
        throw kafkaUnavailable(error)
      },
    )
    return connecting
  }
  return Object.assign(open, { close: () => client.disconnect() })
}

function connectedCluster(kafka: Kafka) {
  const cluster = createCluster(kafka)
  let connecting: Promise<void> | undefined
  const connect = () => {
    connecting ??= cluster.connect().catch((error: unknown) => {
      connecting = undefined
      throw kafkaUnavailable(error)
    })
    return connecting
  }
  return { cluster, connect, close: () => cluster.disconnect() }
}

/** Calls that wait at the same moment share one request; each caller keeps one call in flight per partition. */
function createProduce(kafka: Kafka) {
  const producer = connectedOnce(
    kafka.producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      // Its own partitioners choose again at a retry; every record of ours names its partition.
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? Number.NaN,
      retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    }),
  )
  let waiting: Waiting[] = []
  let waitingBytes = 0
  const flush = () => {
    const batch = waiting
    waiting = []
    waitingBytes = 0
    if (batch.length > 0) void send(producer, batch)
  }
  const one: KafkaPort['produce'] = (topic, partition, value, headers = {}) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush)
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      waiting.push({ topic, partition, value: bytes, headers: { ...headers }, resolve, reject })
      waitingBytes += bytes.length
      if (waitingBytes > PRODUCE_BYTES_MAX) flush()
    })
  return { one, close: () => producer.close() }
}

async function send(producer: Opened<Producer>, batch: readonly Waiting[]): Promise<void> {
  try {
    const byTopic = Map.groupBy(batch, ({ topic }) => topic)
    const topicMessages = [...byTopic].map(([topic, records]) => ({
      topic,
      messages: records.map(({ partition, value, headers }) => ({ partition, value, headers })),
    }))
    const answers = await (await producer()).sendBatch({
      acks: -1,
      timeout: REQUEST_TIMEOUT_MS,
      topicMessages,
    })
    const bases = new Map(
      answers.map(({ topicName, partition, baseOffset }) => [`${topicName}/${partition}`, baseOffset]),
    )
    const taken = new Map<string, number>()
    for (const { topic, partition, resolve, reject } of batch) {
      const place = `${topic}/${partition}`
      const base = bases.get(place)
      const index = taken.get(place) ?? 0
      taken.set(place, index + 1)
      if (base === undefined)
        reject(new TrueNowError('TN_KAFKA_UNAVAILABLE', `Kafka did not say where ${place} was written.`))
      else resolve({ offset: Number(base) + index })
    }
  } catch (error) {
    for (const { reject } of batch) reject(kafkaUnavailable(error))
  }
}

function createTopic(admin: Opened<Admin>, topic: string, settings: TopicSettings): Promise<boolean> {
  const { partitions: numPartitions, replicationFactor, config } = settings
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  return unavailable(async () => {
    const one = { topic, numPartitions, replicationFactor, configEntries }
    const client = await admin()
    try {
      return await client.createTopics({ topics: [one], waitForLeaders: true, timeout: REQUEST_TIMEOUT_MS })
    } catch (error) {
      // It is made, but who was asked for its leaders has not heard of it yet; kafkajs waits for leaders only.
      if (!isUnknownTopic(error)) throw error
      const deadlineMs = performance.now() + REQUEST_TIMEOUT_MS
      while (!(await client.listTopics()).includes(topic)) {
        if (performance.now() > deadlineMs) throw error
        await sleep(TOPIC_CHECK_MS)
      }
      return true
    }
  })
}

/** Until list and description agree: a topic may be deleted between the two, and brokers hear of a new one after each other. */
async function describeTopic(admin: Opened<Admin>, topic: string): Promise<TopicSettings | undefined> {
  return unavailable(async () => {
    const client = await admin()
    const deadlineMs = performance.now() + REQUEST_TIMEOUT_MS
    while ((await client.listTopics()).includes(topic)) {
      try {
        return await topicSettings(client, topic)
      } catch (error) {
        if (!isUnknownTopic(error) || performance.now() > deadlineMs) throw error
        await sleep(TOPIC_CHECK_MS)
      }
    }
    return undefined
  })
}

async function topicSettings(client: Admin, topic: string): Promise<TopicSettings> {
  const { topics } = await client.fetchTopicMetadata({ topics: [topic] })
  const TOPIC = 2
  const { resources } = await client.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: TOPIC, name: topic }],
  })
  const entries = resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue])
  const partitions = topics[0]?.partitions ?? []
  return {
    partitions: partitions.length,
    replicationFactor: partitions[0]?.replicas.length ?? 0,
    config: Object.fromEntries(entries ?? []) as Record<string, string>,
  }
}

async function deleteTopic(admin: Opened<Admin>, topic: string): Promise<void> {
  await unavailable(async () => {
    const client = await admin()
    if (!(await client.listTopics()).includes(topic)) return
    try {
      await client.deleteTopics({ topics: [topic], timeout: REQUEST_TIMEOUT_MS })
    } catch (error) {
      if (!isUnknownTopic(error)) throw error // Another has deleted it.
    }
  })
}

async function unavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw kafkaUnavailable(error)
  }
}
