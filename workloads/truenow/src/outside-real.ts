import { readSecretFile } from '@truenow/chassis/config.ts'
import type { Outside } from './role-opener.ts'

/** Kafka, PostgreSQL and Redis. Each client is imported by the roles that use it only: it costs memory and start time. */
export const outsideReal: Outside = {
  kafka: async (brokers, { log, clock, pod }) => {
    const { createKafkaClient } = await import('@truenow/chassis/kafka-client.ts')
    const list = brokers.split(',').map((broker) => broker.trim())
    return createKafkaClient({ brokers: list, clientId: `truenow-${pod}`, log, clock })
  },
  postgres: async (urlFile, { log }) => {
    const { createPostgresClient } = await import('@truenow/chassis/postgres-client.ts')
    readSecretFile(urlFile) // A missing mount is a mistake that only its owner can mend, so it is said at once.
    return createPostgresClient({ url: () => readSecretFile(urlFile), log })
  },
  cache: async (urlFile, { log, clock }) => {
    if (urlFile === '') return undefined
    const { createRedisClient } = await import('@truenow/chassis/redis-client.ts')
    readSecretFile(urlFile) // As above.
    return createRedisClient({ url: () => readSecretFile(urlFile), log, clock })
  },
}
