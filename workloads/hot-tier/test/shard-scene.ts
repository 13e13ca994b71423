import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import { type Client, createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createGrpcServer, type Handlers } from '@truenow/chassis/grpc-server.ts'
import { createHealth } from '@truenow/chassis/health.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type Catalog,
  type RegisterShardRequestSchema,
  RegisterShardResponseSchema,
  type ReportShardRequestSchema,
  ReportShardResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState, Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { BlockStream, SubscribeEventSchema } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { crc32c } from '@truenow/contracts/wire/crc32c.ts'
import type { IdLimits } from '@truenow/kernels/replica/id-window.ts'
import { encodeRows, type LogRow } from '@truenow/kernels/replica/testing/encode-rows.ts'
import { LOG_START_US, type LogRecord, VERSIONS } from '@truenow/kernels/replica/testing/random-log.ts'
import { Registry } from 'prom-client'
import { HotTierConfig } from '../src/config.ts'
import { startHotTier } from '../src/role.ts'
import type { FaultyDisk } from './faulty-disk.ts'

export const SLOTS = 2
/** Threads of a scene that does not say otherwise. */
export const WORKERS = Number(process.env.WORKERS ?? 0)
export const [definition] = VERSIONS as [TableDefinition]
const { SERVING } = ReplicaState

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  seconds = 20,
): Promise<void> {
  const deadline = performance.now() + seconds * 1_000
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `not within ${seconds} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

type LogEvent = NonNullable<MessageInitShape<typeof SubscribeEventSchema>['event']>
/** One slot's log in memory. */
export class SlotLog {
  readonly events: Array<{ offset: number; event: LogEvent }> = []
  rewritten = false
  /** Records below are gone, as by Kafka's retention. */
  startOffset = 0
  /** Appends a block; answers its offset. */
  append(rows: readonly LogRow[], version: TableDefinition = definition): number {
    const value = encodeRows(rows, version)
    const offset = this.lastOffset + 1
    const at = { offset, checksum: crc32c(value) }
    this.appendRecord({ at, appendTimeUs: LOG_START_US + offset, value, definition: version })
    return offset
  }

  /** Appends a record where it stands in a log of its own; without a version it is a dead letter. */
  appendRecord({ at, appendTimeUs, value, definition }: Omit<LogRecord, 'rows'>): void {
    const place = {
      previousOffset: BigInt(this.lastOffset),
      offset: BigInt(at.offset),
      appendTimeUs: BigInt(appendTimeUs),
      checksum: at.checksum,
    }
    const event: LogEvent =
      definition === undefined
        ? { case: 'deadLetter', value: { ...place, reason: 'nobody can read it' } }
        : { case: 'block', value: { ...place, value } }
    this.events.push({ offset: at.offset, event })
  }

  get lastOffset(): number {
    return this.events.at(-1)?.offset ?? -1
  }

  /** Events from an offset on. */
  from(offset: number): ReadonlyArray<(typeof this.events)[0]> {
    const first = this.events.findIndex((event) => event.offset >= offset)
    return first < 0 ? [] : this.events.slice(first)
  }
}

/** An ingester over such logs; `fault` may change or break what it tells. */
export function createFakeIngester(logs: readonly SlotLog[]) {
  const ingester = {
    subscriptions: [] as Array<{ slot: number; cursor: number }>,
    fault: undefined as ((offset: number, event: LogEvent) => LogEvent) | undefined,
    handlers: (): Handlers<typeof BlockStream> => ({
      subscribe,
      getProgress: () => Promise.reject(new Error('not asked here')),
    }),
  }
  const subscribe: Handlers<typeof BlockStream>['subscribe'] = async function* (request, { signal }) {
    const [slot, cursor] = [request.slot ?? 0, Number(request.cursor?.offset ?? -1)]
    ingester.subscriptions.push({ slot, cursor })
    const log = logs[slot]
    assert.ok(log !== undefined)
    const told = (event: LogEvent) => create(SubscribeEventSchema, { event })
    let next = cursor + 1
    while (!signal.aborted) {
      if (log.rewritten) {
        yield told({ case: 'logRewritten', value: { endOffset: 0n } })
        return
      }
      const isBehind = next < log.startOffset
      if (isBehind) {
        const [firstOffset, resumeOffset] = [BigInt(next), BigInt(log.startOffset)]
        yield told({ case: 'dataLoss', value: { firstOffset, resumeOffset } })
        next = log.startOffset
      }
      for (const [index, { offset, event }] of log.from(next).entries()) {
        const isFirst = isBehind && index === 0
        yield told(ingester.fault?.(offset, event) ?? (isFirst ? chainedTo(next - 1, event) : event))
        next = offset + 1
      }
      const [endOffset, position] = [BigInt(next), BigInt(next - 1)]
      yield told({ case: 'heartbeat', value: { endOffset, position, atUs: 1n } })
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  return ingester
}

/** The same event after another one: what lay between is gone. */
function chainedTo(offset: number, event: LogEvent): LogEvent {
  if (event.case !== 'block' && event.case !== 'deadLetter') return event
  return { ...event, value: { ...event.value, previousOffset: BigInt(offset) } } as LogEvent
}

/** Puts it behind a port of its own, so that worker threads reach it too. */
async function serveIngester({ handlers }: ReturnType<typeof createFakeIngester>) {
  const log = createLog({ role: 'ingester', destination: { write: () => {} } })
  const health = createHealth({ role: 'ingester', version: '', clock: systemClock })
  const server = createGrpcServer({ role: 'ingester', log, registry: new Registry(), health })
  server.add(BlockStream, handlers())
  return { address: `127.0.0.1:${await server.listen('127.0.0.1', 0)}`, close: server.close }
}

type Report = MessageInitShape<typeof ReportShardRequestSchema>
/** A control plane that gives incarnations and remembers what it was told. */
export function createFakeControlPlane(catalogId = 'c') {
  const fake = {
    catalogId,
    incarnation: 1,
    away: false,
    retired: false,
    registrations: [] as Array<MessageInitShape<typeof RegisterShardRequestSchema>>,
    reports: [] as Report[],
    client: (): Client<typeof Catalog> =>
      ({
        registerShard: async (request: MessageInitShape<typeof RegisterShardRequestSchema>) => {
          if (fake.away) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'away')
          fake.registrations.push(request)
          return create(RegisterShardResponseSchema, {
            incarnation: BigInt(fake.incarnation),
            catalogId: fake.catalogId,
          })
        },
        reportShard: async (report: Report) => {
          if (fake.away) throw new TrueNowError('TN_PEER_UNAVAILABLE', 'away')
          if (fake.retired) throw new TrueNowError('TN_SHARD_RETIRED', 'another process is this shard')
          fake.reports.push(report)
          return create(ReportShardResponseSchema, {})
        },
        close: () => {},
      }) as unknown as Client<typeof Catalog>,
  }
  return fake
}

type Placement = Readonly<{
  epoch?: number
  incarnation?: number
  state?: ReplicaState
  slots?: readonly number[]
  versions?: readonly TableDefinition[]
  uid?: string
  /** Where there are more shards than shard 0, and who holds each of the slots. */
  shards?: ReadonlyArray<Readonly<{ shard: number; incarnation: bigint; address: string }>>
  replicas?: ReadonlyArray<Readonly<{ shard: number; incarnation: bigint; state: ReplicaState }>>
}>
/** A catalog of one table that a test sets by hand. */
export function createCatalogInHand(first: Placement = {}) {
  let revision = 0n
  const snapshotOf = (placement: Placement) => {
    const { epoch = 5, incarnation = 1, state = SERVING, slots = [0, 1], versions = [definition] } = placement
    revision += 1n
    return {
      revision,
      catalogId: 'c',
      replicationFactor: 1,
      shards: [...(placement.shards ?? [{ shard: 0, incarnation: BigInt(incarnation), address: 'self:1' }])],
      tables: [
        {
          topic: 't',
          uid: placement.uid ?? 'u',
          versionsJson: versions.map((version) => JSON.stringify(version)),
          slots: slots.map((slot) => ({
            slot,
            epoch: BigInt(epoch),
            replicas: [...(placement.replicas ?? [{ shard: 0, incarnation: BigInt(incarnation), state }])],
          })),
        },
      ],
    }
  }
  const { client, set } = createStaticCatalog(snapshotOf(first))
  return { client, set: (placement: Placement) => set(snapshotOf(placement)) }
}

/** Shard 0 with all that it meets in memory; what a test does not give is made anew. */
export async function startShardScene(
  options: Readonly<{
    directory?: string
    logs?: readonly SlotLog[]
    catalog?: ReturnType<typeof createCatalogInHand>
    controlPlane?: ReturnType<typeof createFakeControlPlane>
    ingesters?: number
    environment?: Readonly<Record<string, string>>
    disk?: FaultyDisk
    idLimits?: Partial<IdLimits>
    /** A worker that dies ends the process, as it does in a pod; absent: the test hears of it. */
    endsItself?: true
    /** Where the shard's log goes; standard output if absent. */
    logTo?: Readonly<{ write: (line: string) => unknown }>
  }> = {},
) {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'truenow-shard-'))
  const logs = options.logs ?? Array.from({ length: SLOTS }, () => new SlotLog())
  const catalog = options.catalog ?? createCatalogInHand()
  const controlPlane = options.controlPlane ?? createFakeControlPlane()
  const ingesters = Array.from({ length: options.ingesters ?? 1 }, () => createFakeIngester(logs))
  const served = await Promise.all(ingesters.map(serveIngester))
  const addresses = served.map(({ address }) => address)
  const config = loadConfig(HotTierConfig, {
    TRUENOW_HOST: '127.0.0.1',
    TRUENOW_HTTP_PORT: '0',
    TRUENOW_GRPC_PORT: '0',
    TRUENOW_CONTROL_PLANE: 'unused:1',
    TRUENOW_INGESTERS: 'unused:1',
    TRUENOW_SHARD: '0',
    TRUENOW_DATA_DIRECTORY: directory,
    TRUENOW_SNAPSHOT_SECONDS: '0.1',
    TRUENOW_HOT_TIER_WORKERS: String(WORKERS),
    ...options.environment,
  })
  const retired: string[] = []
  const died: string[] = []
  const { disk, idLimits } = options
  const context = {
    log: createLog({
      role: 'hot-tier',
      level: 'ERROR',
      ...(options.logTo === undefined ? {} : { destination: options.logTo }),
    }),
    clock: systemClock,
    registry: new Registry(),
    pod: 'demo-hot-tier-0',
    version: '0.1.0',
  }
  const role = await startHotTier(config, context, {
    catalog: catalog.client,
    controlPlane: controlPlane.client(),
    ingesterAddresses: { current: () => addresses, onChange: () => () => {}, close: () => {} },
    connectIngester: (address) => createGrpcClient(BlockStream, address),
    connectShard: (address) => createGrpcClient(Shard, address),
    onRetired: (why) => retired.push(why),
    ...(options.endsItself ? {} : { onWorkerDied: (why: string) => died.push(why) }),
    ids: {
      ...(idLimits === undefined ? {} : { limits: idLimits }),
      ...(disk === undefined ? {} : { sync: disk.sync }),
    },
    ...(disk === undefined ? {} : { writeFile: disk.writeFile }),
    workerThread: { entry: new URL('./faulty-worker.ts', import.meta.url), extra: disk?.switches },
  })
  const client = createGrpcClient(Shard, role.grpcAddress)
  const get = async (path: string) => (await fetch(`http://${role.httpAddress}${path}`)).text()
  /** Stops the shard; its volume stays. */
  const stop = async () => {
    client.close()
    await role.close()
    await Promise.all(served.map(({ close: end }) => end()))
  }
  const close = async () => {
    await stop()
    rmSync(directory, { recursive: true, force: true })
  }
  const isOwn = (replica: Readonly<{ shard: number; incarnation: number }>) =>
    replica.shard === config.TRUENOW_SHARD && replica.incarnation === controlPlane.incarnation
  const slots = catalog.client.current()?.tables().flatMap((table) => table.slots) ?? [] // biome-ignore format: one line
  const assigned = slots.filter(({ replicas }) => replicas.some(isOwn)).length
  const held = async () => (JSON.parse(await get('/debug/slots')) as { slots: unknown[] }).slots.length
  await until(async () => (await held()) === assigned, 'threads hold their slots').catch(async (error) => {
    await close()
    throw error
  })
  const metric = async (line: RegExp) => Number(line.exec(await get('/metrics'))?.[1] ?? Number.NaN)
  return {
    address: role.grpcAddress,
    directory,
    logs,
    catalog,
    controlPlane,
    ingesters,
    client,
    retired,
    died,
    get,
    metric,
    stop,
    close,
  }
}
