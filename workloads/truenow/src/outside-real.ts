import { readSecretFile } from '@truenow/chassis/config.ts'
import { checkKafkaSettings } from '@truenow/chassis/kafka-config.ts'
import type { Outside } from './role-opener.ts'

/** Kafka, PostgreSQL and Redis. Each client is imported by the roles that use it only: it costs memory and start time. */
export const outsideReal: Outside = {
  kafka: async (settings, { log, clock, pod }) => {
    checkKafkaSettings(settings)
    const { createKafkaClient } = await import('@truenow/chassis/kafka-client.ts')
    const { kafkaAccess } = await import('@truenow/chassis/kafka-access.ts')
    const brokers = settings.TRUENOW_KAFKA_BROKERS.split(',').map((broker) => broker.trim())
    const access = kafkaAccess(settings)
    return createKafkaClient({ brokers, clientId: `truenow-${pod}`, log, clock, access })
  },
  postgres: async ({ TRUENOW_POSTGRES_URL_FILE: urlFile, TRUENOW_POSTGRES_CA_FILE: caFile }, { log }) => {
    const { createPostgresClient } = await import('@truenow/chassis/postgres-client.ts')
    const { postgresAuthority } = await import('@truenow/chassis/postgres-authority.ts')
    // A missing mount is a mistake that only its owner can mend, so it is said at once.
    for (const file of [urlFile, caFile]) if (file !== '') readSecretFile(file)
    const url = () => readSecretFile(urlFile)
    return createPostgresClient({ url: caFile === '' ? url : () => postgresAuthority(url(), caFile), log })
  },
  cache: async ({ TRUENOW_REDIS_URL_FILE: urlFile, TRUENOW_REDIS_CA_FILE: caFile }, { log, clock }) => {
    if (urlFile === '') return undefined
    const { createRedisClient } = await import('@truenow/chassis/redis-client.ts')
    for (const file of [urlFile, caFile]) if (file !== '') readSecretFile(file) // As above.
    const ca = caFile === '' ? {} : { ca: () => readSecretFile(caFile) }
    return createRedisClient({ url: () => readSecretFile(urlFile), ...ca, log, clock })
  },
}
