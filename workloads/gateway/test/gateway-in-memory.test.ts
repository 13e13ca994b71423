import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { gatewayCases } from './gateway.cases.ts'

gatewayCases('gateway over the log in memory', async () => ({
  kafka: createKafkaInMemory({ clock: systemClock }),
  close: async () => {},
}))
