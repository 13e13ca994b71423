import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { Health } from '@truenow/chassis/health.ts'
import type { PeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import type { Shard as ShardService } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { HotTierConfig } from './config.ts'
import type { MemoryShares } from './divide-budget.ts'
import { createLocalWorker } from './local-worker.ts'
import type { ShardWorker, WorkerEvents, WorkerSettings } from './shard-worker.ts'
import type { ReplicaStorage } from './snapshot-store.ts'
import { createThreadWorker } from './thread-worker.ts'
import { type WriteFile, writeDurably } from './write-durably.ts'

/** What workers reach. A thread has connections and files of its own; only addresses and limits get there. */
export type WorkersPorts = Readonly<{
  ingesterAddresses: PeerAddresses
  connectIngester: (address: string) => Client<typeof BlockStream>
  /** Other shards, for copies of slots. */
  connectShard: (address: string) => Client<typeof ShardService>
  /** How files reach the volume; tests let it fail. */
  writeFile?: WriteFile
  /** When remembered ids become runs; tests let a few do, and fail. */
  ids?: Pick<ReplicaStorage, 'limits' | 'sync'>
  /** What a worker thread runs instead of worker-thread.ts, and what it is given beside; for tests and benches. */
  workerThread?: Readonly<{ entry: URL; extra: unknown }>
}>
export type WorkersParts = Readonly<{
  config: HotTierConfig
  context: RoleContext
  ports: WorkersPorts
  ordinal: number
  shares: MemoryShares
  health: Health
  onNews: () => void
  onBytes: (worker: number, residentBytes: number) => void
  onDied: (why: string) => void
}>

/** As many threads as configured, each with its share of the budget; with none, one worker in this thread. */
export function createWorkers(parts: WorkersParts): readonly ShardWorker[] {
  const { config, context, ports, health, shares } = parts
  const { log, clock, pod, version } = context
  const threads = config.TRUENOW_HOT_TIER_WORKERS
  const count = Math.max(1, threads)
  const { limits, sync } = ports.ids ?? {}
  return Array.from({ length: count }, (_, worker) => {
    const settings: WorkerSettings = {
      worker,
      shard: parts.ordinal,
      dataDirectory: config.TRUENOW_DATA_DIRECTORY,
      tlsDirectory: config.TRUENOW_TLS_DIRECTORY,
      residentBytesMax: shares.quotaBytes,
      reserveBytes: Math.floor(shares.reserveBytes / count),
      heapMibMax: shares.heapMibMax,
      snapshotMs: config.TRUENOW_SNAPSHOT_SECONDS * 1_000,
      copies: {
        copiesMax: Math.max(1, Math.floor(config.TRUENOW_COPIES_MAX / count)),
        gapWaitMs: config.TRUENOW_GAP_WAIT_SECONDS * 1_000,
      },
      pod,
      version,
      ...(limits === undefined ? {} : { idLimits: limits }),
    }
    const events: WorkerEvents = {
      onNews: parts.onNews,
      onCheck: (check, reason) =>
        health.setCheck(
          `${check} of worker ${worker}`,
          reason === undefined ? { status: 'healthy' } : { status: 'degraded', reason },
        ),
      onBeat: (residentBytes) => parts.onBytes(worker, residentBytes),
    }
    if (threads > 0) {
      const ingesters = ports.ingesterAddresses
      return createThreadWorker({ settings, log, ingesters, events, onDied: parts.onDied, ...ports.workerThread }) // biome-ignore format: one line
    }
    const { ingesterAddresses: ingesters, connectIngester, connectShard, writeFile = writeDurably } = ports
    const sending = sync === undefined ? {} : { sync }
    return createLocalWorker(settings, { log, clock, ingesters, connectIngester, connectShard, writeFile, ...sending }, events) // biome-ignore format: one line
  })
}
