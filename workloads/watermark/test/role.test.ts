import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { loadConfig } from '@truenow/chassis/config.ts'
import { createGrpcClient } from '@truenow/chassis/grpc-client.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  GetSlotsResponseSchema,
  ReplicaState,
  type SlotState,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { GetProgressResponseSchema } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { SlotHealth, Watermark } from '@truenow/contracts/gen/truenow/v1/watermark_pb.ts'
import { Registry } from 'prom-client'
import { WatermarkConfig } from '../src/config.ts'
import { startWatermark } from '../src/role.ts'

const SLOTS = 2
const REPLICAS = [0, 1]
const definition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: SLOTS,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 10,
  dedupWindowUs: 0,
  maxFutureSkewUs: 0,
  idleTimeoutUs: 0,
  onMemoryFull: 'Evict',
}
const catalog = {
  revision: 1n,
  catalogId: 'c',
  tables: [
    {
      versionsJson: [JSON.stringify(definition)],
      slots: Array.from({ length: SLOTS }, (_, slot) => ({
        slot,
        epoch: 1n,
        replicas: REPLICAS.map((shard) => ({ shard, incarnation: 1n, state: ReplicaState.SERVING })),
      })),
    },
  ],
  shards: REPLICAS.map((shard) => ({ shard, incarnation: 1n, address: `shard-${shard}:9091` })),
}

type Told = Partial<Pick<SlotState, 'watermarkUs' | 'stateHash' | 'hashOffset'>>
/** The role over two shards and one ingester that a test makes say what it wants; time passes by hand. */
async function scene() {
  let nowMs = 0
  const told = new Map<string, Told | Error>()
  const config = loadConfig(WatermarkConfig, {
    TRUENOW_HOST: '127.0.0.1',
    TRUENOW_HTTP_PORT: '0',
    TRUENOW_GRPC_PORT: '0',
    TRUENOW_CONTROL_PLANE: 'unused:1',
    TRUENOW_INGESTERS: 'unused:1',
    TRUENOW_WATERMARK_POLL_MS: '50',
  })
  const registry = new Registry()
  const lines: string[] = []
  const context = {
    log: createLog({ role: 'watermark', destination: { write: (line) => lines.push(line) } }),
    clock: { nowUs: () => 1_000, monotonicMs: () => nowMs },
    registry,
    pod: 'watermark-test',
    version: '0.1.0',
  }
  let polls = 0
  const role = await startWatermark(config, context, {
    catalog: createStaticCatalog(catalog).client,
    ingesterAddresses: { current: () => ['ingester:9100'] },
    connectIngester: () => ({
      getProgress: async () => {
        polls++
        const slots = Array.from({ length: SLOTS }, (_, slot) => ({
          table: { namespace: 'production', name: 'events' },
          slot,
          endOffset: 10n,
          fetchedAtUs: BigInt(polls),
        }))
        return create(GetProgressResponseSchema, { slots })
      },
      close: () => {},
    }),
    connectShard: (address) => ({
      getSlots: async () => {
        const slots = Array.from({ length: SLOTS }, (_, slot) => {
          const say = told.get(`${address}/${slot}`) ?? {}
          if (say instanceof Error) throw say
          return {
            table: { namespace: 'production', name: 'events' },
            slot,
            incarnation: 1n,
            state: ReplicaState.SERVING,
            watermarkUs: 900n,
            cursor: { offset: 9n },
            endOffset: 10n,
            residentRows: 5n,
            progressedAtUs: BigInt(polls),
            ...say,
          }
        })
        return create(GetSlotsResponseSchema, { slots })
      },
      close: () => {},
    }),
  })
  /** Waits until every peer has been asked twice more: whatever a test just set has been seen. */
  const seen = async () => {
    const until = polls + 2
    const deadline = performance.now() + 5_000
    while (polls < until) {
      assert.ok(performance.now() < deadline, 'no poll within 5 s')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const get = async (path: string) => {
    const response = await fetch(`http://${role.httpAddress}${path}`)
    // biome-ignore lint/suspicious/noExplicitAny: a test looks at JSON as a client does.
    return { status: response.status, body: (await response.json()) as any }
  }
  const freshness = async () => (await get('/v1/namespaces/production/tables/events/freshness')).body
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { role, told, seen, get, freshness, pass, registry, lines }
}

test('watermark: the table is the minimum of its slots, by HTTP and by gRPC', async () => {
  const { role, told, seen, get, freshness } = await scene()
  try {
    for (const shard of REPLICAS) {
      told.set(`shard-${shard}:9091/0`, { watermarkUs: 990n })
      told.set(`shard-${shard}:9091/1`, { watermarkUs: 905n })
    }
    await seen()
    const body = await freshness()
    assert.deepEqual([body.watermark_us, body.freshness_us, body.resident_rows], [905, 85, 10])
    assert.deepEqual(
      body.slots.map(({ health }: { health: string }) => health),
      ['IDLE', 'IDLE'],
    )
    assert.equal((await get('/v1/freshness')).body.tables.length, 1)
    const client = createGrpcClient(Watermark, role.grpcAddress)
    const { tables } = await client.getFreshness({ table: { namespace: 'production', name: 'events' } })
    assert.equal(tables[0]?.watermarkUs, 905n)
    assert.equal(tables[0]?.slots[0]?.health, SlotHealth.IDLE)
    assert.deepEqual(
      (await client.getFreshness({ table: { namespace: 'production', name: 'no' } })).tables,
      [],
    )
    client.close()
    assert.equal(
      (await get('/v1/namespaces/production/tables/evnts/freshness')).body.error.code,
      'TN_TABLE_UNKNOWN',
    )
    assert.equal((await get('/health')).body.status, 'healthy')
  } finally {
    await role.close()
  }
})

test('watermark: replicas that differ at one offset are named, counted and degrade the role', async () => {
  const { role, told, seen, get, freshness, registry } = await scene()
  try {
    told.set('shard-0:9091/0', { stateHash: 'aaaa', hashOffset: 8n })
    told.set('shard-1:9091/0', { stateHash: 'bbbb', hashOffset: 8n })
    await seen()
    assert.match((await freshness()).slots[0].mismatch, /shards 0 and 1 differ at offset 8/)
    const health = (await get('/health')).body
    assert.equal(health.status, 'degraded')
    assert.match(health.reasons.join(), /production\.events\[0\]/)
    assert.match(await registry.metrics(), /truenow_watermark_mismatched_slots 1/)
  } finally {
    await role.close()
  }
})

test('watermark: shards that fall silent make it unknown, and it never goes back when one returns behind', async () => {
  const { role, told, seen, freshness, pass } = await scene()
  try {
    await seen()
    assert.equal((await freshness()).watermark_us, 900)
    for (const shard of REPLICAS)
      told.set(`shard-${shard}:9091/0`, new TrueNowError('TN_PEER_UNAVAILABLE', 'gone'))
    pass(4_000)
    await seen()
    const unknown = await freshness()
    assert.equal(unknown.watermark_us, null)
    assert.deepEqual([unknown.slots[0].health, unknown.slots[0].watermark_us], ['UNKNOWN', null])
    assert.match(unknown.slots[0].culprit, /has not answered/)
    for (const shard of REPLICAS) told.set(`shard-${shard}:9091/0`, { watermarkUs: 500n })
    await seen()
    const behind = await freshness()
    assert.equal(behind.watermark_us, null)
    assert.match(behind.slots[0].culprit, /below 900 already told/)
    for (const shard of REPLICAS) told.set(`shard-${shard}:9091/0`, { watermarkUs: 901n })
    await seen()
    assert.equal((await freshness()).watermark_us, 900)
  } finally {
    await role.close()
  }
})

test('watermark: without a catalog it is not ready and says so', async () => {
  const config = loadConfig(WatermarkConfig, {
    TRUENOW_HOST: '127.0.0.1',
    TRUENOW_HTTP_PORT: '0',
    TRUENOW_GRPC_PORT: '0',
    TRUENOW_CONTROL_PLANE: 'unused:1',
    TRUENOW_INGESTERS: 'unused:1',
  })
  const context = {
    log: createLog({ role: 'watermark', destination: { write: () => {} } }),
    clock: { nowUs: () => 1_000, monotonicMs: () => 0 },
    registry: new Registry(),
    pod: 'watermark-test',
    version: '0.1.0',
  }
  const role = await startWatermark(config, context, {
    catalog: createStaticCatalog().client,
    ingesterAddresses: { current: () => [] },
    connectIngester: () => assert.fail('nobody to ask'),
    connectShard: () => assert.fail('nobody to ask'),
  })
  try {
    assert.equal((await fetch(`http://${role.httpAddress}/readyz`)).status, 503)
    const response = await fetch(`http://${role.httpAddress}/v1/freshness`)
    assert.equal(response.status, 503)
    assert.equal(
      ((await response.json()) as { error: { code: string } }).error.code,
      'TN_CATALOG_UNAVAILABLE',
    )
  } finally {
    await role.close()
  }
})
