import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaClient } from '@truenow/chassis/kafka-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { startKafka } from '@truenow/chassis/testing/start-kafka.ts'
import { gatewayCases } from './gateway.cases.ts'

gatewayCases('gateway over Kafka', async () => {
  const server = await startKafka()
  const log = createLog({ role: 'test', level: 'ERROR' })
  const kafka = createKafkaClient({ brokers: server.brokers, clientId: 'test', log, clock: systemClock })
  return {
    kafka,
    close: async () => {
      await kafka.close()
      await server.stop()
    },
  }
})
