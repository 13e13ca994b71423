import type { CachePort } from '@truenow/chassis/cache-port.ts'
import { systemClock } from '@truenow/chassis/clock.ts'
import { loadConfig } from '@truenow/chassis/config.ts'
import { createLog } from '@truenow/chassis/log.ts'
import { createStaticCatalog } from '@truenow/chassis/testing/static-catalog.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { Registry } from 'prom-client'
import { QueryConfig } from '../src/config.ts'
import type { Row } from './brute-force-partial.ts'
import { createFakeShard } from './fake-shard.ts'

/** The quickstart's table, as every test of the query role has it. */
export const EVENTS: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: true },
    { name: 'latency_us', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64', nullable: false },
    { name: 'items', type: 'int64', nullable: false },
    { name: 'paid', type: 'bool', nullable: true },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 4,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 0,
  dedupWindowUs: 600_000_000,
  maxFutureSkewUs: 0,
  idleTimeoutUs: 1_000_000,
  onMemoryFull: 'Evict',
}
/** Watermark of every fake replica unless a test says otherwise. */
export const WATERMARK_US = 1_754_772_700_000_000

/**
 * A whole query side in memory: a catalog, `shards` fake shards, and every slot on `replicationFactor` of them, which
 * hold the rows that `rowsOf(slot)` gives.
 */
export function createCluster(
  options: Readonly<{
    shards?: number
    replicationFactor?: number
    definition?: TableDefinition
    rowsOf?: (slot: number) => readonly Row[]
    settings?: Record<string, string>
    cache?: CachePort
  }> = {},
) {
  const { shards: count = 2, replicationFactor = 2, definition = EVENTS, rowsOf = () => [] } = options
  const shards = Array.from({ length: count }, (_, ordinal) => createFakeShard(ordinal, definition))
  const placement = Array.from({ length: definition.slots }, (_, slot) =>
    Array.from({ length: replicationFactor }, (__, copy) => (slot + copy) % count),
  )
  for (const [slot, ordinals] of placement.entries()) {
    const rows = rowsOf(slot)
    for (const ordinal of ordinals) {
      shards[ordinal]?.replicas.set(slot, {
        rows,
        epoch: 1n,
        incarnation: 1n,
        shards: ordinals,
        offset: rows.length - 1,
        watermarkUs: WATERMARK_US,
        retainedFromUs: 0,
      })
    }
  }
  const snapshot = {
    revision: 1n,
    catalogId: 'catalog-1',
    replicationFactor,
    tables: [
      {
        versionsJson: [JSON.stringify(definition)],
        topic: 't',
        slots: placement.map((ordinals, slot) => ({
          slot,
          epoch: 1n,
          replicas: ordinals.map((shard) => ({ shard, incarnation: 1n, state: ReplicaState.SERVING })),
        })),
      },
    ],
    shards: shards.map((_, shard) => ({ shard, incarnation: 1n, address: `shard-${shard}:9091` })),
  }
  const catalog = createStaticCatalog(snapshot)
  const logLines: string[] = []
  return {
    shards,
    /** The fake on `ordinal`, which a test knows to be there. */
    shard: (ordinal: number) => shards[ordinal] as (typeof shards)[number],
    catalog,
    snapshot,
    logLines,
    config: loadConfig(QueryConfig, {
      TRUENOW_HOST: '127.0.0.1',
      TRUENOW_HTTP_PORT: '0',
      TRUENOW_GRPC_PORT: '0',
      TRUENOW_CONTROL_PLANE: 'unused:1',
      TRUENOW_QUERY_HEDGE_MS: '20',
      ...options.settings,
    }),
    context: {
      log: createLog({ role: 'query', destination: { write: (line) => logLines.push(line) } }),
      clock: systemClock,
      registry: new Registry(),
      pod: 'query-test',
      version: '0.1.0',
    },
    ports: {
      catalog: catalog.client,
      cache: options.cache,
      connectShard: (address: string) => {
        const ordinal = Number(/^shard-(\d+):/.exec(address)?.[1])
        const shard = shards[ordinal]
        if (shard === undefined) throw new Error(`no fake shard at ${address}`)
        return shard.client()
      },
    },
  }
}
