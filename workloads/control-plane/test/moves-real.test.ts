import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createPostgresClient } from '@truenow/chassis/postgres-client.ts'
import { startKafka } from '@truenow/chassis/testing/start-kafka.ts'
import { startPostgres } from '@truenow/chassis/testing/start-postgres.ts'
import { movesCases } from './moves.cases.ts'

movesCases('PostgreSQL and Kafka', async () => {
  const [server, broker] = await Promise.all([startPostgres(), startKafka()])
  const log = createLog({ role: 'control-plane', level: 'ERROR' })
  const postgres = createPostgresClient({ url: () => server.url, log })
  const { brokers } = broker
  const kafka = createKafkaClient({ brokers, clientId: 'test', log, clock: systemClock })
  return {
    postgres,
    kafka,
    close: async () => {
      await Promise.all([kafka.close(), postgres.close()])
      await Promise.all([broker.stop(), server.stop()])
    },
  }
})
