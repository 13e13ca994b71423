import type { Clock } from '@truenow/chassis/clock.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { createLog } from '@truenow/chassis/log.ts'
import type { PostgresPort } from '@truenow/chassis/postgres-port.ts'
import { postgresSchemaName } from '@truenow/contracts/topics.ts'
import { Registry } from 'prom-client'
import { createCatalogFollower } from '../src/catalog-follower.ts'
import { createCatalogService } from '../src/catalog-service.ts'
import { createCatalogStore } from '../src/catalog-store.ts'
import { createControlPlaneMetrics } from '../src/metrics.ts'
import { migrate } from '../src/migrate.ts'

/**
 * The Catalog service of one cluster, over a schema of its own in `ports.postgres`. `postgres` is what the service sees of
 * that: it may fail. Whoever opens it closes the follower.
 */
export async function openCatalog(
  ports: Readonly<{ postgres: PostgresPort; kafka: KafkaPort }>,
  {
    cluster,
    clock,
    pollMs,
    postgres = ports.postgres,
  }: Readonly<{ cluster: string; clock: Clock; pollMs: number; postgres?: PostgresPort }>,
) {
  const identity = { kubernetesNamespace: 'test', cluster }
  const schema = postgresSchemaName(identity)
  await migrate(ports.postgres, schema)
  const store = createCatalogStore(postgres, schema)
  const log = createLog({ role: 'control-plane', level: 'ERROR' })
  const follower = createCatalogFollower({ store, log, pollMs, onState: () => {} })
  await follower.refresh()
  const metrics = createControlPlaneMetrics(new Registry())
  const parts = { store, follower, kafka: ports.kafka, identity, clock, log, metrics }
  return { parts, service: createCatalogService(parts) }
}
