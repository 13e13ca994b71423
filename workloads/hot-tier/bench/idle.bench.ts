import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as breathe, setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { viewOfCatalog } from '@truenow/chassis/catalog-view.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { CatalogSnapshotSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { encodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import { Registry } from 'prom-client'
import { createHotTierMetrics } from '../src/metrics.ts'
import { Shard } from '../src/shard.ts'
import { writeDurably } from '../src/write-durably.ts'
import { definition, START_US } from './event-blocks.ts'
import { IdleIngester } from './idle-ingester.ts'

/*
 * A shard of many quiet slots: TABLES x SLOTS, one event a second in each table, in turn in each of its slots, over a whole
 * retention of an hour; then the same for SECONDS of real time, with a heartbeat a second in every slot. Streams come from
 * this process, without gRPC; SNAPSHOT_SECONDS between two snapshots of a slot that changed. `make` starts it as a worker with a budget of 1 GiB is: heap limits and `malloc`'s settings. `heap_bytes` is JavaScript's,
 * `row_bytes` what rows, texts and ids take of the budget; `cpu` is the share of one core, threads those of the process.
 */
const TABLES = Number(process.env.TABLES ?? 200)
const SLOTS = Number(process.env.SLOTS ?? 64)
const SECONDS = Number(process.env.SECONDS ?? 30)
const SNAPSHOT_SECONDS = Number(process.env.SNAPSHOT_SECONDS ?? 10)
const SECOND_US = 1_000_000
const RETENTION_US = 3_600 * SECOND_US
const GIB = 1024 ** 3

const { rollups: _, ...events } = definition
const definitions = Array.from(
  { length: TABLES },
  (_, table): TableDefinition => ({
    ...events,
    name: `events_${table}`,
    slots: SLOTS,
    retentionUs: RETENTION_US,
    dedupWindowUs: 600 * SECOND_US,
  }),
)
const assigned = Array.from({ length: SLOTS }, (_, slot) => ({
  slot,
  epoch: 1n,
  replicas: [{ shard: 0, incarnation: 1n, state: ReplicaState.SERVING }],
}))
const catalog = create(CatalogSnapshotSchema, {
  revision: 1n,
  catalogId: 'c',
  replicationFactor: 1,
  shards: [{ shard: 0, incarnation: 1n, address: 'self:1' }],
  tables: definitions.map((one) => ({
    topic: one.name,
    uid: one.name,
    versionsJson: [JSON.stringify(one)],
    slots: assigned,
  })),
})
const ingester = new IdleIngester()
const directory = mkdtempSync(join(tmpdir(), 'truenow-idle-'))
const shard = new Shard({
  context: { log: createLog({ role: 'hot-tier', level: 'ERROR' }), clock: systemClock, registry: new Registry(), pod: 'bench-0', version: '0' }, // biome-ignore format: one line
  metrics: createHotTierMetrics(new Registry()),
  shard: 0,
  dataDirectory: directory,
  residentBytesMax: GIB,
  reserveBytes: 0,
  heap: { bytes: () => 0 },
  snapshotMs: SNAPSHOT_SECONDS * 1_000,
  follow: {
    ingesters: { current: () => ['here:1'] },
    connect: () => ingester.client,
  },
  writeFile: writeDurably,
  ids: {},
  copies: {
    connect: () => {
      throw new Error('There is no other shard.')
    },
    copiesMax: 1,
    gapWaitMs: 0,
  },
  onNews: () => {},
  onSnapshot: () => {},
  onIdRuns: () => {},
})
shard.open({ catalogId: 'c', incarnation: 1 })
shard.assign(viewOfCatalog(catalog))

/** A block of one event, with texts as the bench of many rows has them. */
function oneEvent(number: number, timeUs: number): Buffer {
  const mixed = Math.imul(number, 0x9e3779b1) >>> 0
  const ids = new Uint8Array(16)
  new DataView(ids.buffer).setUint32(0, mixed)
  const text = (dictionary: string): Column => ({
    type: 'string',
    codes: Uint32Array.of(0),
    dictionary: [dictionary],
  })
  return encodeBlock(1, 1, [
    { type: 'id128', values: ids },
    { type: 'timestamp', values: Float64Array.of(timeUs) },
    text(`region-${mixed % 8}`),
    text(`product-${mixed % 1_000}`),
    text(`user-${mixed % 1_000_000}`),
    { type: 'float64', values: Float64Array.of((mixed % 1_000_000) / 100) },
    { type: 'float64', values: Float64Array.of((mixed % 1_000) / 10) },
    { type: 'int64', values: Float64Array.of(1 + (mixed % 9)) },
  ])
}

/** One event of each table, in the slot whose turn it is. */
function tellSecond(second: number): void {
  const slot = second % SLOTS
  for (const [table, { name }] of definitions.entries()) {
    const timeUs = START_US + second * SECOND_US
    ingester.tellBlock(name, slot, oneEvent(second * TABLES + table, timeUs), timeUs)
  }
}
const allTaken = async (): Promise<void> => {
  while (ingester.taken < ingester.told) await breathe()
}
function print(row: string, cpuUs: number, wallMs: number): void {
  const threads = Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
  const { rss, heapUsed } = process.memoryUsage()
  const rounded = (share: number) => Number(share.toFixed(3))
  const line = { bench: 'idle', row, tables: TABLES, slots: TABLES * SLOTS, rss_bytes: rss, heap_bytes: heapUsed, row_bytes: shard.residentBytes, cpu: rounded(cpuUs / 1_000 / wallMs), threads } // biome-ignore format: one line
  console.log(JSON.stringify(line))
}

const cpuUs = (): number => process.cpuUsage().user + process.cpuUsage().system
print('empty', 0, 1)
const hour = RETENTION_US / SECOND_US
const [filledUs, filledMs] = [cpuUs(), performance.now()]
for (let second = 0; second < hour; second++) {
  tellSecond(second)
  await allTaken()
}
print('filled', cpuUs() - filledUs, performance.now() - filledMs)
const [quietUs, quietMs] = [cpuUs(), performance.now()]
for (let second = hour; second < hour + SECONDS; second++) {
  const next = sleep(1_000)
  tellSecond(second)
  for (const { name } of definitions) for (let slot = 0; slot < SLOTS; slot++) ingester.tellEnd(name, slot)
  await next
}
print('quiet', cpuUs() - quietUs, performance.now() - quietMs)
rmSync(directory, { recursive: true, force: true })
// Closing would write what every slot holds: a million files that nobody reads.
process.exit(0)
