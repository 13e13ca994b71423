import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { ingesterCases } from './ingester.cases.ts'

ingesterCases('ingester over the log in memory', async () => {
  const kafka = createKafkaInMemory({ clock: systemClock })
  return {
    kafka,
    truncate: async (topic, partition, startOffset) => kafka.truncate(topic, partition, startOffset),
    close: async () => {},
  }
})
