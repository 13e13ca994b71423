import { create } from '@bufbuild/protobuf'
import { indexCatalog } from '@truenow/chassis/catalog-view.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createGrpcServer } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { PartialQueryRequestSchema, type Plan, ReplicaState, Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts' // biome-ignore format: one line
import { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import { Registry } from 'prom-client'
import { createLocalWorker } from '../src/local-worker.ts'
import { ShardRouter } from '../src/shard-router.ts'
import type { WorkerEvents, WorkerSettings } from '../src/shard-worker.ts'
import { createThreadWorker } from '../src/thread-worker.ts'
import { writeDurably } from '../src/write-durably.ts'

export type LogBlock = Readonly<{ slot: number; offset: number; appendTimeUs: number; value: Uint8Array }>
export type WorkersInHand = Awaited<ReturnType<typeof startWorkersInHand>>
const log = createLog({ role: 'hot-tier', level: 'ERROR' })
const IDENTITY = { catalogId: 'c', incarnation: 1 }
const MEMORY_BYTES = 64 << 20

/** An ingester that has the log of each table by the table's uid. */
export async function startLogs() {
  const byTable = new Map<string, readonly LogBlock[]>()
  const registry = new Registry()
  const health = createHealth({ role: 'ingester', version: '', clock: systemClock })
  const server = createGrpcServer({ role: 'ingester', log, registry, health })
  server.add(BlockStream, {
    getProgress: () => Promise.reject(new Error('not asked here')),
    subscribe: async function* (request, { signal }) {
      const blocks = (byTable.get(request.tableUid) ?? []).filter(({ slot }) => slot === request.slot)
      let previousOffset = request.cursor?.offset ?? -1n
      for (const { offset, appendTimeUs, value } of blocks) {
        if (offset <= Number(request.cursor?.offset ?? -1)) continue
        const place = { previousOffset, offset: BigInt(offset), appendTimeUs: BigInt(appendTimeUs), checksum: crc32c(value) } // biome-ignore format: one line
        yield { event: { case: 'block', value: { ...place, value } } }
        previousOffset = BigInt(offset)
      }
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    },
  })
  const address = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  return { byTable, address, close: server.close }
}

/** A shard of so many workers, in threads or in this one, over logs of `startLogs`, whose tables a test sets. */
export async function startWorkersInHand(
  kind: 'local' | 'thread',
  count: number,
  directory: string,
  ingester: string,
) {
  const events: WorkerEvents = { onNews: () => {}, onCheck: () => {}, onBeat: () => {} }
  const ingesters = { current: () => [ingester], onChange: () => () => {} }
  const died: string[] = []
  const workers = Array.from({ length: count }, (_, worker) => {
    const settings: WorkerSettings = {
      worker,
      shard: 0,
      dataDirectory: directory,
      residentBytesMax: MEMORY_BYTES,
      reserveBytes: 0,
      heapMibMax: { old: 2_048, young: 6 },
      snapshotMs: 3_600_000,
      copies: { copiesMax: 1, gapWaitMs: 0 },
      pod: '',
      version: '',
    }
    const connectIngester = (address: string) => createGrpcClient(BlockStream, address)
    const connectShard = (address: string) => createGrpcClient(Shard, address)
    return kind === 'thread'
      ? createThreadWorker({ settings, log, ingesters, events, onDied: (why) => died.push(why) })
      : createLocalWorker(
          settings,
          { log, clock: systemClock, ingesters, connectIngester, connectShard, writeFile: writeDurably },
          events,
        )
  })
  const router = new ShardRouter(workers, 0)
  await router.open(IDENTITY)
  let revision = 0
  const assign = (versions: readonly TableDefinition[], uid: string) => {
    const definition = versions.at(-1) as TableDefinition
    const slots = Array.from({ length: definition.slots }, (_, slot) => ({
      slot,
      epoch: 1,
      replicas: [{ shard: 0, incarnation: 1, state: ReplicaState.SERVING }],
    }))
    const definitions = new Map(versions.map((version) => [version.version, version]))
    const table = { definition, definitions, topic: 't', uid, slots }
    revision += 1
    return router.assign(
      indexCatalog({
        revision,
        catalogId: IDENTITY.catalogId,
        replicationFactor: 1,
        tables: [table],
        shards: [],
      }),
    )
  }
  /** Asks slots in the given order, each at or above its offset. */
  const ask = (
    definition: TableDefinition,
    plan: Plan,
    slots: readonly number[],
    atLeast: ReadonlyMap<number, number>,
    signal: AbortSignal = new AbortController().signal,
  ) => {
    const { namespace, name } = definition
    const asked = slots.map((slot) => ({
      slot,
      epoch: 1n,
      incarnation: 1n,
      shards: [0],
      atLeastOffset: BigInt(atLeast.get(slot) ?? -1),
    }))
    const request = create(PartialQueryRequestSchema, { table: { namespace, name }, plan, slots: asked })
    return router.execute(request, signal)
  }
  const close = async () => {
    await router.reset()
    await router.close()
  }
  return { router, died, assign, ask, close }
}
