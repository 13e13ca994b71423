import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { startKafka } from '@truenow/chassis/testing/start-kafka.ts'
import kafkajs from 'kafkajs'
import { ingesterCases } from './ingester.cases.ts'

ingesterCases('ingester over Kafka', async () => {
  const server = await startKafka()
  const log = createLog({ role: 'test', level: 'ERROR' })
  const kafka = createKafkaClient({ brokers: server.brokers, clientId: 'test', log, clock: systemClock })
  const admin = new kafkajs.Kafka({ brokers: server.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  return {
    kafka,
    truncate: async (topic, partition, startOffset) => {
      await admin.fetchTopicOffsets(topic) // It forgets to load the metadata it needs.
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(startOffset) }] })
    },
    close: async () => {
      await admin.disconnect()
      await kafka.close()
      await server.stop()
    },
  }
})
