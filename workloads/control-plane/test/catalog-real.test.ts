import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createPostgresClient } from '@truenow/chassis/postgres-client.ts'
import { startKafka } from '@truenow/chassis/testing/start-kafka.ts'
import { startPostgres } from '@truenow/chassis/testing/start-postgres.ts'
import kafkajs from 'kafkajs'
import { catalogCases } from './catalog.cases.ts'

catalogCases('PostgreSQL and Kafka', async () => {
  const [server, broker] = await Promise.all([startPostgres(), startKafka()])
  const log = createLog({ role: 'control-plane', level: 'ERROR' })
  const postgres = createPostgresClient({ url: () => server.url, log })
  const { brokers } = broker
  const kafka = createKafkaClient({ brokers, clientId: 'test', log, clock: systemClock })
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  return {
    postgres,
    kafka,
    committed: async (groupId, topic) => {
      const [{ partitions } = { partitions: [] }] = await admin.fetchOffsets({ groupId, topics: [topic] })
      const known = partitions.filter(({ offset }) => Number(offset) >= 0)
      return new Map(known.map(({ partition, offset }) => [partition, Number(offset)]))
    },
    close: async () => {
      await Promise.all([kafka.close(), postgres.close(), admin.disconnect()])
      await Promise.all([broker.stop(), server.stop()])
    },
  }
})
