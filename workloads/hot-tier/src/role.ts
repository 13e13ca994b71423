import { mkdirSync } from 'node:fs'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import { createGrpcServer, type GrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createHttpServer } from '@truenow/chassis/http-server.ts'
import type { PeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import type { RoleContext, RunningRole } from '@truenow/chassis/running-role.ts'
import { createShutdown } from '@truenow/chassis/shutdown.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Catalog } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import {
  type CopySlotRequest,
  Shard as ShardService,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { createByteThrottle } from './byte-throttle.ts'
import type { HotTierConfig } from './config.ts'
import { executePartial } from './execute-partial.ts'
import { giveCopy } from './give-copy.ts'
import { createHotTierMetrics, type HotTierMetrics } from './metrics.ts'
import { createPermits } from './permits.ts'
import { type Registration, registerShard } from './register-shard.ts'
import { debugSlots } from './routes/debug-slots.ts'
import { Shard } from './shard.ts'
import { slotStateMessage } from './slot-state-message.ts'
import type { ReplicaStorage } from './snapshot-store.ts'
import { readIdentity } from './volume-identity.ts'
import type { WriteFile } from './write-durably.ts'
import { writeDurably } from './write-durably.ts'

export type HotTierPorts = Readonly<{
  catalog: CatalogClient
  controlPlane: Client<typeof Catalog>
  ingesterAddresses: PeerAddresses
  connectIngester: (address: string) => Client<typeof BlockStream>
  /** Other shards, for copies of slots. */
  connectShard: (address: string) => Client<typeof ShardService>
  /** Ends the process when another one is this shard now; tests watch it. */
  onRetired?: (why: string) => void
  /** How files reach the volume; tests let it fail. */
  writeFile?: WriteFile
  /** When remembered ids become runs; tests let a few do, and fail. */
  ids?: ReplicaStorage
}>

const GIB = 1 << 30

/** Starts one shard: it follows the slots that the catalog assigns to it and answers partial queries. */
export async function startHotTier(
  config: HotTierConfig,
  context: RoleContext,
  ports: HotTierPorts,
): Promise<RunningRole> {
  const { log, clock, registry, version } = context
  const { writeFile = writeDurably, ids = {} } = ports
  const ordinal = ordinalOf(config, context)
  const dataDirectory = config.TRUENOW_DATA_DIRECTORY
  mkdirSync(dataDirectory, { recursive: true })
  const health = createHealth({ role: 'hot-tier', version, clock })
  const metrics = createHotTierMetrics(registry)
  const shutdown = createShutdown(config.TRUENOW_GRACE_SECONDS * 1_000, log)
  const residentBytesMax = Math.floor(config.HOT_TIER_MEMORY_GB * GIB)
  const connect = cachedConnections('ingester connections', ports.connectIngester, shutdown)
  const connectShard = cachedConnections('shard connections', ports.connectShard, shutdown)
  let registration: Registration | undefined
  const checkOf = (name: string) => (error: unknown) =>
    health.setCheck(name, error === undefined ? { status: 'healthy' } : { status: 'degraded', reason: String(error) }) // biome-ignore format: one line
  const shard = new Shard({
    context,
    metrics,
    shard: ordinal,
    dataDirectory,
    residentBytesMax,
    snapshotMs: config.TRUENOW_SNAPSHOT_SECONDS * 1_000,
    follow: { ingesters: ports.ingesterAddresses, connect },
    copies: {
      connect: connectShard,
      copiesMax: config.TRUENOW_COPIES_MAX,
      gapWaitMs: config.TRUENOW_GAP_WAIT_SECONDS * 1_000,
    },
    writeFile,
    ids,
    onNews: () => registration?.reportSoon(),
    onSnapshot: checkOf('snapshots'),
    onIdRuns: checkOf('id-runs'),
  })
  shutdown.onClose('shard', () => shard.close())

  const grpc = createGrpcServer({ role: 'hot-tier', log, registry, health })
  serveShard(grpc, { shard, ordinal, dataDirectory, residentBytesMax, metrics, clock, config })
  const grpcPort = await grpc.listen(config.TRUENOW_HOST, config.TRUENOW_GRPC_PORT)
  shutdown.onClose('grpc', grpc.close)

  const stopListening = ports.catalog.onChange((view) => shard.assign(view))
  registration = registerShard({
    context,
    controlPlane: ports.controlPlane,
    catalog: ports.catalog,
    shard,
    ordinal,
    address: addressOf(config, context, grpcPort),
    dataDirectory,
    residentBytesMax,
    writeFile,
    onRetired: (why) => {
      log.warn({ why }, 'this process is not the shard any more')
      health.setReady(false, why)
      ;(ports.onRetired ?? (() => process.exit(1)))(why)
    },
  })
  shutdown.onClose('registration', async () => {
    stopListening()
    await registration?.close()
  })

  const http = createHttpServer({ role: 'hot-tier', context, health })
  debugSlots(http.app, shard)
  const httpPort = await http.listen(config.TRUENOW_HOST, config.TRUENOW_HTTP_PORT)
  shutdown.onClose('http', http.close)
  shutdown.onClose('readiness', async () => health.setReady(false, 'shutting down'))
  // Ready means that it can be asked: whether a replica has caught up is the catalog's business, not the Service's.
  health.setReady(true)
  return {
    httpAddress: `${config.TRUENOW_HOST}:${httpPort}`,
    grpcAddress: `${config.TRUENOW_HOST}:${grpcPort}`,
    close: shutdown.close,
  }
}

function serveShard(
  grpc: GrpcServer,
  parts: Readonly<{
    shard: Shard
    ordinal: number
    dataDirectory: string
    residentBytesMax: number
    metrics: HotTierMetrics
    clock: Clock
    config: HotTierConfig
  }>,
): void {
  const { shard, ordinal, dataDirectory, residentBytesMax, metrics, clock, config } = parts
  const giving = {
    pin: (request: CopySlotRequest) => shard.pin(request),
    unpin: (pin: number) => shard.unpin(pin),
    permits: createPermits(config.TRUENOW_COPIES_MAX),
    throttle: createByteThrottle(config.TRUENOW_COPY_BYTES_PER_SECOND_MAX, clock),
    metrics,
  }
  grpc.add(ShardService, {
    executePartial: async (request, { signal }) => {
      const startedMs = clock.monotonicMs()
      const find = (namespace: string, name: string, slot: number) => shard.find(namespace, name, slot)
      const answer = await executePartial(request, ordinal, find, clock.monotonicMs, signal)
      metrics.querySeconds.observe((clock.monotonicMs() - startedMs) / 1_000)
      return answer
    },
    getSlots: async () => ({
      shard: `${ordinal}`,
      incarnation: BigInt(readIdentity(dataDirectory)?.incarnation ?? 0),
      slots: shard.slots().map(slotStateMessage),
      memoryBytes: BigInt(shard.residentBytes),
      memoryBytesMax: BigInt(residentBytesMax),
    }),
    copySlot: (request, { signal }) => giveCopy(request, giving, signal),
  })
}

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

/** One connection a peer, shared by all slots; those of peers that left are few and idle. */
function cachedConnections<Connection extends Readonly<{ close: () => void }>>(
  name: string,
  connect: (address: string) => Connection,
  shutdown: ReturnType<typeof createShutdown>,
): (address: string) => Connection {
  const clients = new Map<string, Connection>()
  shutdown.onClose(name, async () => {
    for (const client of clients.values()) client.close()
  })
  return (address) => {
    const client = clients.get(address) ?? connect(address)
    clients.set(address, client)
    return client
  }
}
