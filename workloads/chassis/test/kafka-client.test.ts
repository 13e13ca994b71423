import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { systemClock } from '../src/clock.ts'
import { createKafkaClient } from '../src/kafka-client.ts'
import type { KafkaPort } from '../src/kafka-port.ts'
import { createLog } from '../src/log.ts'
import { startKafka } from '../src/testing/start-kafka.ts'
import { type KafkaUnderTest, kafkaPortCases } from './kafka-port.cases.ts'

let server: Awaited<ReturnType<typeof startKafka>>
let kafka: KafkaPort
let raw: kafkajs.Kafka
const log = createLog({ role: 'test', level: 'ERROR' })

before(async () => {
  server = await startKafka()
  kafka = createKafkaClient({ brokers: server.brokers, clientId: 'test', log, clock: systemClock })
  raw = new kafkajs.Kafka({ brokers: server.brokers, logLevel: kafkajs.logLevel.NOTHING })
})
after(async () => {
  await kafka?.close()
  await server?.stop()
})

const truncate: KafkaUnderTest['truncate'] = async (topic, partition, startOffset) => {
  const admin = raw.admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic) // It forgets to load the metadata it needs.
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(startOffset) }] })
  await admin.disconnect()
  await until(async () => (await kafka.offsetRange(topic, partition)).startOffset === startOffset)
}

kafkaPortCases('kafka', async () => ({ kafka, truncate }))

test('kafka: aborted transactions and control records are passed over, and progress reaches the end', async () => {
  const topic = 'transactions'
  await kafka.createTopic(topic, { partitions: 1, replicationFactor: 1, config: {} })
  const producer = raw.producer({ transactionalId: 'aborts', idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const keep of [true, false, true]) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ partition: 0, value: keep ? 'kept' : 'aborted' }] })
    await (keep ? transaction.commit() : transaction.abort())
  }
  await producer.disconnect()
  // A transaction's end is answered before its marker stands in the log.
  await until(async () => (await kafka.offsetRange(topic, 0)).endOffset === 6)
  const values: string[] = []
  const done = new AbortController()
  const { endOffset } = await kafka.offsetRange(topic, 0)
  await kafka.followPartition(
    { topic, partition: 0, nextOffset: 0 },
    (records, { nextOffset }) => {
      values.push(...records.map(({ value }) => value.toString()))
      if (nextOffset === endOffset) done.abort()
    },
    AbortSignal.any([done.signal, AbortSignal.timeout(20_000)]),
  )
  assert.deepEqual([values, endOffset], [['kept', 'kept'], 6])
})

test('kafka: a broker killed and started again costs no record and doubles none', async () => {
  const topic = 'restarted'
  await kafka.createTopic(topic, { partitions: 2, replicationFactor: 1, config: {} })
  const seen: string[] = []
  const stopping = new AbortController()
  const followed = kafka.followPartition(
    { topic, partition: 0, nextOffset: 0 },
    (records) => void seen.push(...records.map(({ value }) => value.toString())),
    stopping.signal,
  )
  await kafka.produce(topic, 0, Buffer.from('before'))
  server.kill('SIGKILL')
  await assert.rejects(kafka.produce(topic, 1, Buffer.from('away')), { code: 'TN_KAFKA_UNAVAILABLE' })
  await server.restart()
  await until(async () => {
    await kafka.produce(topic, 0, Buffer.from('after'))
    return true
  })
  await until(async () => seen.at(-1) === 'after')
  assert.equal(seen[0], 'before')
  stopping.abort()
  await followed
})

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 60_000
  while (!(await condition().catch(() => false))) {
    assert.ok(performance.now() < giveUpAt, 'not within a minute')
    await sleep(100)
  }
}
