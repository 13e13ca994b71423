import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createPostgresEmbedded } from '@truenow/chassis/postgres-embedded.ts'
import { catalogCases } from './catalog.cases.ts'

catalogCases('PGlite and an in-memory log', async () => {
  const postgres = await createPostgresEmbedded()
  const kafka = createKafkaInMemory({ clock: systemClock })
  const committed = async (group: string, topic: string) =>
    kafka.cursors.get(`${group} ${topic}`) ?? new Map()
  return { postgres, kafka, committed, close: postgres.close }
})
