import { setTimeout as delay } from 'node:timers/promises'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth, type Health } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import type { KafkaPort } from '@truenow/chassis/kafka-port.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { PostgresPort } from '@truenow/chassis/postgres-port.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { postgresSchemaName } from '@truenow/contracts/topics.ts'
import { type CatalogFollower, createCatalogFollower, type StoreState } from './catalog-follower.ts'
import { createCatalogService } from './catalog-service.ts'
import { type CatalogStore, createCatalogStore } from './catalog-store.ts'
import type { ControlPlaneConfig } from './config.ts'
import { type ControlPlaneMetrics, createControlPlaneMetrics } from './metrics.ts'
import { migrate } from './migrate.ts'
import { publishCursors } from './publish-cursors.ts'
import { REPLICA_STATES } from './read-catalog.ts'

export type ControlPlanePorts = Readonly<{ postgres: PostgresPort; kafka: KafkaPort }>

/** How often the revision is read, to see what other processes of the control plane changed. */
const POLL_MS = 200
const KAFKA_CHECK_MS = 5_000
const MIGRATE_AGAIN_MS = 1_000

/**
 * Starts the control plane. It starts without PostgreSQL too: not ready, trying again every second, alive. Ready once it has a
 * catalog to serve, and from then on also while PostgreSQL is away, because watchers need no more than the last snapshot.
 */
export async function startControlPlane(
  config: ControlPlaneConfig,
  context: RoleContext,
  { postgres, kafka }: ControlPlanePorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const health = createHealth({ role: 'control-plane', version, clock })
  const metrics = createControlPlaneMetrics(registry)
  const identity = {
    kubernetesNamespace: config.TRUENOW_KUBERNETES_NAMESPACE,
    cluster: config.TRUENOW_CLUSTER,
  }
  const store = createCatalogStore(postgres, postgresSchemaName(identity))
  const onState = (state: StoreState) => showState(state, health, metrics)
  onState('away')
  const follower = createCatalogFollower({ store, log, pollMs: POLL_MS, onState })
  shutdown.onClose('catalog follower', follower.close)

  const parts = { store, follower, kafka, identity, clock, log, metrics }
  const ending = new AbortController()
  const work = [
    becomeReady({ store, follower, health, context, signal: ending.signal }),
    watchKafka(kafka, health, ending.signal),
    showCatalog(follower, metrics, ending.signal),
    publishCursors(parts, ending.signal),
  ]
  shutdown.onClose('background work', async () => {
    ending.abort()
    await Promise.all(work)
  })
  const service = createCatalogService(parts)
  const grpc = createGrpcServer({ role: 'control-plane', log, registry, health, tls: context.tls })
  grpc.add(Catalog, service)
  const http = createHttpServer({ role: 'control-plane', context, health })
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  const addressOf = (port: number) => `${config.TRUENOW_HOST}:${port}`
  return { httpAddress: addressOf(httpPort), grpcAddress: addressOf(grpcPort), close: shutdown.close }
}

type Beginning = Readonly<{
  store: CatalogStore
  follower: CatalogFollower
  health: Health
  context: RoleContext
  signal: AbortSignal
}>

async function becomeReady({ store, follower, health, context, signal }: Beginning): Promise<void> {
  const { log } = context
  health.setReady(false, 'PostgreSQL has not answered yet')
  while (!signal.aborted) {
    try {
      const migrations = await migrate(store.postgres, store.schema)
      if (await follower.refresh()) {
        log.info({ migrations, schema: store.schema }, 'catalog read')
        return health.setReady(true)
      }
    } catch (err) {
      log.warn({ err }, 'PostgreSQL cannot be migrated yet; trying again')
    }
    await delay(MIGRATE_AGAIN_MS, undefined, { signal }).catch(() => {})
  }
}

async function watchKafka(kafka: KafkaPort, health: Health, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const reachable = await kafka.reachable().catch(() => false)
    const reason = `tables cannot be made, joining replicas wait: ${kafka.trouble()?.message ?? 'Kafka does not answer'}`
    health.setCheck('kafka', reachable ? { status: 'healthy' } : { status: 'degraded', reason })
    await delay(KAFKA_CHECK_MS, undefined, { signal }).catch(() => {})
  }
}

async function showCatalog(
  follower: CatalogFollower,
  metrics: ControlPlaneMetrics,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await follower.changed(signal)
    const snapshot = follower.current()
    metrics.revision.set(Number(snapshot?.revision ?? 0n))
    const replicas = (snapshot?.tables ?? []).flatMap(({ slots }) => slots.flatMap((slot) => slot.replicas))
    for (const [name, state] of Object.entries(REPLICA_STATES)) {
      metrics.replicas.set({ state: name }, replicas.filter((replica) => replica.state === state).length)
    }
  }
}

function showState(state: StoreState, health: Health, metrics: ControlPlaneMetrics): void {
  metrics.postgresUp.set(state === 'away' ? 0 : 1)
  const reasons: Record<StoreState, string> = {
    answering: '',
    away: 'PostgreSQL does not answer: the last catalog is served, changes fail',
    gone: 'the schema was deleted: PutCluster makes it anew',
  }
  const healthy = state === 'answering'
  health.setCheck(
    'postgres',
    healthy ? { status: 'healthy' } : { status: 'degraded', reason: reasons[state] },
  )
}
