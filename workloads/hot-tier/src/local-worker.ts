import { indexCatalog } from '@truenow/chassis/catalog-view.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { Log } from '@truenow/chassis/log.ts'
import type { PeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import type { Shard as ShardService } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { Registry } from 'prom-client'
import { debugSlot } from './debug-slot.ts'
import { executePartial } from './execute-partial.ts'
import type { LiveHeap } from './live-heap.ts'
import { createHotTierMetrics } from './metrics.ts'
import { Shard } from './shard.ts'
import type { ShardWorker, WorkerCheck, WorkerEvents, WorkerSettings } from './shard-worker.ts'
import { slotStateMessage } from './slot-state-message.ts'
import type { Sync } from './volume-run-files.ts'
import type { WriteFile } from './write-durably.ts'

export type LocalWorkerPorts = Readonly<{
  log: Log
  clock: Clock
  ingesters: Pick<PeerAddresses, 'current'>
  connectIngester: (address: string) => Client<typeof BlockStream>
  /** Other shards, for copies of slots. */
  connectShard: (address: string) => Client<typeof ShardService>
  writeFile: WriteFile
  /** How runs of ids become durable; absent: by fsync. */
  sync?: Sync
  /** Of a thread that is the worker's alone; absent: the heap is others' too, and not counted. */
  heap?: LiveHeap
  /** Of a thread that is the worker's alone: takes the calls that lie in its port. */
  hear?: () => void
}>

const BEAT_MS = 1_000

/** A worker in this very thread: a `Shard` over the slots that it is given, with a registry of its own. */
export function createLocalWorker(
  settings: WorkerSettings,
  ports: LocalWorkerPorts,
  events: WorkerEvents,
): ShardWorker {
  const { worker, shard: ordinal, pod, version, idLimits } = settings
  const { log, clock, sync } = ports
  const registry = new Registry()
  const metrics = createHotTierMetrics(registry)
  const ingesters = new Map<string, Client<typeof BlockStream>>()
  const shards = new Map<string, Client<typeof ShardService>>()
  const shard = new Shard({
    context: { log, clock, registry, pod, version },
    metrics,
    shard: ordinal,
    dataDirectory: settings.dataDirectory,
    residentBytesMax: settings.residentBytesMax,
    reserveBytes: settings.reserveBytes,
    heap: ports.heap ?? { bytes: () => 0 },
    snapshotMs: settings.snapshotMs,
    follow: { ingesters: ports.ingesters, connect: cachedIn(ingesters, ports.connectIngester) },
    copies: { ...settings.copies, connect: cachedIn(shards, ports.connectShard) },
    hear: ports.hear,
    writeFile: ports.writeFile,
    ids: {
      ...(idLimits === undefined ? {} : { limits: idLimits }),
      ...(sync === undefined ? {} : { sync }),
    },
    onNews: events.onNews,
    onSnapshot: onChange('snapshots', events),
    onIdRuns: onChange('id-runs', events),
  })
  const beat = setInterval(() => events.onBeat(shard.residentBytes), BEAT_MS)
  const find = (namespace: string, name: string, slot: number) => shard.find(namespace, name, slot)
  return {
    open: async (identity) => shard.open(identity),
    assign: async (catalog) => shard.assign(indexCatalog(catalog)),
    execute: async (request, signal) => {
      const startedMs = clock.monotonicMs()
      const answer = await executePartial(request, ordinal, find, shard.startWork, signal, shard.turns)
      metrics.querySeconds.observe((clock.monotonicMs() - startedMs) / 1_000)
      return answer
    },
    pin: async (request) => shard.pin(request),
    unpin: async (pin) => shard.unpin(pin),
    states: async () => ({
      catalogRevision: shard.catalogRevision,
      slots: shard.slots().map(slotStateMessage),
      residentBytes: shard.residentBytes,
    }),
    describe: async () => shard.slots().map((slot) => debugSlot(slot, worker)),
    samples: () => registry.getMetricsAsJSON(),
    reset: () => shard.reset(),
    close: async () => {
      clearInterval(beat)
      await shard.close()
      for (const connection of [...ingesters.values(), ...shards.values()]) connection.close()
    },
  }
}

/** One connection a peer, shared by all slots; those of peers that left are few and idle. */
const cachedIn =
  <Connection>(connections: Map<string, Connection>, connect: (address: string) => Connection) =>
  (address: string): Connection => {
    const connection = connections.get(address) ?? connect(address)
    connections.set(address, connection)
    return connection
  }

function onChange(check: WorkerCheck, { onCheck }: WorkerEvents): (error: unknown) => void {
  let told: string | undefined
  return (error) => {
    const reason = error === undefined ? undefined : String(error)
    if (reason === told) return
    told = reason
    onCheck(check, reason)
  }
}
