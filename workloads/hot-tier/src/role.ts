import { mkdirSync } from 'node:fs'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import { createGrpcServer, type GrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth, type Health } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import { leavePolitely } from '@truenow/chassis/leave-politely.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { Shard as ShardService } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { Registry } from 'prom-client'
import { awaitCaughtUp } from './await-caught-up.ts'
import { createByteThrottle } from './byte-throttle.ts'
import type { HotTierConfig } from './config.ts'
import { createWorkers, type WorkersPorts } from './create-workers.ts'
import { divideBudget } from './divide-budget.ts'
import { exposeWorkerMetrics } from './expose-worker-metrics.ts'
import { type GiveParts, giveCopy } from './give-copy.ts'
import { createCopyMetrics } from './metrics.ts'
import { createPermits } from './permits.ts'
import { type Registration, registerShard } from './register-shard.ts'
import { debugSlots } from './routes/debug-slots.ts'
import { ShardRouter } from './shard-router.ts'
import { readIdentity } from './volume-identity.ts'
import { writeDurably } from './write-durably.ts'

export type HotTierPorts = WorkersPorts &
  Readonly<{
    catalog: CatalogClient
    controlPlane: Client<typeof Catalog>
    /** Ends the process when another one is this shard now; tests watch it. */
    onRetired?: (why: string) => void
    /** Ends the process when a worker thread died; tests watch it. */
    onWorkerDied?: (why: string) => void
  }>

/** Starts one shard: it follows the slots that the catalog assigns to it and answers partial queries. */
export async function startHotTier(
  config: HotTierConfig,
  context: RoleContext,
  ports: HotTierPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const ordinal = ordinalOf(config, context)
  const { TRUENOW_DATA_DIRECTORY: dataDirectory, TRUENOW_HOT_TIER_WORKERS: threads } = config
  mkdirSync(dataDirectory, { recursive: true })
  const health = createHealth({ role: 'hot-tier', version, clock })
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const shares = divideBudget(config.HOT_TIER_MEMORY_GB, threads, config.TRUENOW_HOT_TIER_RESERVE_MB)
  const residentBytesMax = shares.quotaBytes * Math.max(1, threads)
  let registration: Registration | undefined
  const starting = new AbortController()
  const giveUp = (why: string, instead?: (why: string) => void) => {
    starting.abort()
    health.setReady(false, why)
    ;(instead ?? (() => process.exit(1)))(why)
  }
  const workers = createWorkers({
    config,
    context,
    ports,
    ordinal,
    shares,
    health,
    onNews: () => registration?.reportSoon(),
    onBytes: (worker, bytes) => router.noteBytes(worker, bytes),
    // Without its slots the shard would answer others, and look well; whoever starts it anew gets all of them.
    onDied: (why) => {
      log.error({ why }, 'a worker died: this process ends, so that its slots come back')
      giveUp(why, ports.onWorkerDied)
    },
  })
  const router = new ShardRouter(workers, ordinal)
  const own = new Registry()
  exposeWorkerMetrics(registry, [...workers, { samples: () => own.getMetricsAsJSON() }])
  shutdown.onClose('shard', () => router.close())

  const giving = givingOf(router, config, clock, own)
  const grpc = createGrpcServer({ role: 'hot-tier', log, registry, health, tls: context.tls })
  const leaving = new AbortController()
  serveShard(grpc, { router, giving, ordinal, dataDirectory, residentBytesMax, leaving: leaving.signal })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)

  const stopListening = followAssignments(router, ports.catalog, log)
  registration = registerShard({
    context,
    controlPlane: ports.controlPlane,
    catalog: ports.catalog,
    shard: router,
    ordinal,
    address: addressOf(config, context, grpcPort),
    dataDirectory,
    residentBytesMax,
    writeFile: ports.writeFile ?? writeDurably,
    onRetired: (why) => {
      log.warn({ why }, 'this process is not the shard any more')
      giveUp(why, ports.onRetired)
    },
  })
  shutdown.onClose('registration', async () => {
    stopListening()
    await registration?.close()
  })

  const http = createHttpServer({ role: 'hot-tier', context, health })
  debugSlots(http.app, router)
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', () => leavePolitely(context, { health, http }))
  shutdown.onClose('leaving', async () => leaving.abort())
  shutdown.onClose('starting', async () => starting.abort())
  void becomeReady(config, context, { router, catalog: ports.catalog, health, signal: starting.signal })
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}

/**
 * It can be asked from the start. Ready says more: that a disruption budget may let the pod of another shard go, for this one
 * answers as freshly. A log that cannot be read keeps no shard unready for good, since that would take others from their work.
 */
async function becomeReady(
  { TRUENOW_READY_SECONDS_MAX: secondsMax }: HotTierConfig,
  { log }: RoleContext,
  parts: Readonly<{ router: ShardRouter; catalog: CatalogClient; health: Health; signal: AbortSignal }>,
): Promise<void> {
  const { router, catalog, health, signal } = parts
  health.setReady(false, 'reading what its logs hold beyond the snapshots')
  const caughtUp = await awaitCaughtUp(router, catalog, { patienceMs: secondsMax * 1_000, signal })
  if (signal.aborted) return
  if (!caughtUp) log.warn({ secondsMax }, 'ready without having caught up')
  health.setReady(true)
}

function followAssignments(
  router: ShardRouter,
  catalog: CatalogClient,
  log: RoleContext['log'],
): ReturnType<CatalogClient['onChange']> {
  return catalog.onChange((view) => {
    router
      .assign(view)
      .catch((err) => log.error({ err, revision: view.revision }, 'slots are not as assigned'))
  })
}

function serveShard(
  grpc: GrpcServer,
  parts: Readonly<{
    router: ShardRouter
    ordinal: number
    dataDirectory: string
    residentBytesMax: number
    giving: GiveParts
    leaving: AbortSignal
  }>,
): void {
  const { router, giving, ordinal, dataDirectory, residentBytesMax, leaving } = parts
  grpc.add(ShardService, {
    executePartial: async (request, { signal }) => {
      const { slots, ...rest } = await router.execute(request, signal)
      return { slots: [...slots], ...rest, leaving: leaving.aborted }
    },
    getSlots: async () => {
      const { slots, residentBytes } = await router.states()
      return {
        shard: `${ordinal}`,
        incarnation: BigInt(readIdentity(dataDirectory)?.incarnation ?? 0),
        slots: [...slots],
        memoryBytes: BigInt(residentBytes),
        memoryBytesMax: BigInt(residentBytesMax),
      }
    },
    copySlot: (request, { signal }) => giveCopy(request, giving, signal),
  })
}

/** The limits hold for the whole shard, whichever worker has the slot. */
const givingOf = (
  router: ShardRouter,
  config: HotTierConfig,
  clock: Clock,
  registry: Registry,
): GiveParts => ({
  pin: (request) => router.pin(request),
  unpin: (pin) => router.unpin(pin),
  permits: createPermits(config.TRUENOW_COPIES_MAX),
  throttle: createByteThrottle(config.TRUENOW_COPY_BYTES_PER_SECOND_MAX, clock),
  metrics: createCopyMetrics(registry),
})

function ordinalOf(config: HotTierConfig, { pod }: RoleContext): number {
  if (config.TRUENOW_SHARD >= 0) return config.TRUENOW_SHARD
  const [, number] = /-(\d+)$/.exec(pod) ?? []
  if (number !== undefined) return Number(number)
  throw new TrueNowError(
    'TN_CONFIG_INVALID',
    `TRUENOW_SHARD is not set and the pod's name '${pod}' does not end in a number.`,
  )
}

function addressOf(config: HotTierConfig, { pod }: RoleContext, grpcPort: number): string {
  if (config.TRUENOW_SHARD_ADDRESS !== '') return config.TRUENOW_SHARD_ADDRESS
  if (config.TRUENOW_SHARD_DOMAIN !== '') return `${pod}.${config.TRUENOW_SHARD_DOMAIN}:${grpcPort}`
  return `${config.TRUENOW_HOST === '0.0.0.0' ? '127.0.0.1' : config.TRUENOW_HOST}:${grpcPort}`
}
