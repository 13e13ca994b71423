import { systemClock } from '../src/clock.ts'
import { createKafkaInMemory } from '../src/kafka-in-memory.ts'
import { kafkaPortCases } from './kafka-port.cases.ts'

kafkaPortCases('in memory', async () => {
  const kafka = createKafkaInMemory({ clock: systemClock })
  return {
    kafka,
    truncate: async (topic, partition, startOffset) => kafka.truncate(topic, partition, startOffset),
  }
})
