import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createPostgresEmbedded } from '@truenow/chassis/postgres-embedded.ts'
import { movesCases } from './moves.cases.ts'

movesCases('PGlite and an in-memory log', async () => {
  const postgres = await createPostgresEmbedded()
  return { postgres, kafka: createKafkaInMemory({ clock: systemClock }), close: postgres.close }
})
