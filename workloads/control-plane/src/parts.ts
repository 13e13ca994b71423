import type { Clock } from '@truenow/chassis/clock.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { ClusterIdentity } from '@truenow/contracts/topics.ts'
import type { CatalogFollower } from './catalog-follower.ts'
import type { CatalogStore } from './catalog-store.ts'
import type { ControlPlaneMetrics } from './metrics.ts'

/** What every method of the Catalog service works with. */
export type Parts = Readonly<{
  store: CatalogStore
  follower: CatalogFollower
  kafka: KafkaPort
  identity: ClusterIdentity
  clock: Clock
  log: Log
  metrics: ControlPlaneMetrics
}>
