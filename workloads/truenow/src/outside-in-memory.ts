import { createCacheInMemory } from '@truenow/chassis/cache-in-memory.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createKafkaInMemory, type KafkaInMemory } from '@truenow/chassis/kafka-in-memory.ts'
import { createPostgresEmbedded } from '@truenow/chassis/postgres-embedded.ts'
import type { Outside } from './role-opener.ts'

export type OutsideInMemory = Outside & Readonly<{ log: KafkaInMemory; close: () => Promise<void> }>

/** The outside systems of dev mode: one log, one database, one cache, shared by all roles of this process. */
export async function createOutsideInMemory(): Promise<OutsideInMemory> {
  const clock = systemClock
  const kafka = createKafkaInMemory({ clock })
  const postgres = await createPostgresEmbedded()
  const cache = createCacheInMemory({ clock })
  // A role closes its ports when it ends, and another may still use the same.
  const shared = <Port extends object>(port: Port): Port => ({ ...port, close: async () => {} })
  return {
    log: kafka,
    kafka: async () => shared(kafka),
    postgres: async () => shared(postgres),
    cache: async () => shared(cache),
    close: async () => {
      await kafka.close()
      await cache.close()
      await postgres.close()
    },
  }
}
