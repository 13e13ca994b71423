import { setTimeout as delay } from 'node:timers/promises'
import type { CatalogClient } from '@truenow/chassis/catalog-client.ts'
import type { CatalogView, SlotView, TableView } from '@truenow/chassis/catalog-view.ts'
import type { Clock } from '@truenow/chassis/clock.ts'
import { type Plan, ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { askSlots, type Gathering } from './ask-slots.ts'
import type { QueryConfig } from './config.ts'
import type { QueryMetrics } from './metrics.ts'
import { createServedCursors } from './served-cursors.ts'
import { type ConnectShard, createShardClients } from './shard-client.ts'
import { createShardLoads } from './shard-loads.ts'
import type { SlotMap } from './slot-task.ts'

/** Runs a plan over every slot of a table, each at one cut of one serving replica. */
export type ReadSlots = (
  table: TableView,
  plan: Plan,
  atLeast: ReadonlyMap<number, number>,
  deadlineMs: number,
  signal: AbortSignal,
) => Promise<Gathering>

/** A shard that failed or was overtaken is asked only in need for this long. */
const SUSPECT_MS = 2_000
/** How long a replica may take to catch up with what this process served before another is tried. */
const CATCH_UP_MS = 50

/** What outlives one statement: clients, loads and the highest cursors served. */
export function createSlotReader(
  ports: Readonly<{ catalog: CatalogClient; connectShard: ConnectShard }>,
  config: QueryConfig,
  clock: Clock,
  metrics: QueryMetrics,
) {
  const clients = createShardClients(ports.connectShard)
  const loads = createShardLoads(clock, SUSPECT_MS)
  const served = createServedCursors()
  const hedges = { inFlight: 0 }
  const follow = (view: CatalogView) => {
    clients.keepOnly(new Set(view.shards().map(({ address }) => address)))
    loads.keepOnly(new Set(view.shards().map(({ shard }) => shard)))
    served.keepOnly(new Set(view.tables().map((table) => servedKey(view, table))))
  }
  const stopFollowing = ports.catalog.onChange(follow)

  const read: ReadSlots = async (table, plan, atLeast, deadlineMs, signal) => {
    const { namespace, name } = table.definition
    const view = ports.catalog.current()
    const key = servedKey(view, table)
    const current = () => ports.catalog.current()
    const gathering = await askSlots(
      {
        table: { namespace, name },
        plan,
        slots: table.slots.map(mapOf),
        atLeast,
        served: (slot) => served.highest(key, slot),
        deadlineMs,
      },
      {
        clock,
        loads,
        client: (shard) => {
          const address = current()?.shard(shard)?.address
          return address === undefined ? undefined : clients.at(address)
        },
        incarnationOf: (shard) => BigInt(current()?.shard(shard)?.incarnation ?? 0),
        currentMap: (slot) => {
          const found = current()?.table(namespace, name)?.slots[slot]
          return found && mapOf(found)
        },
        delay: (ms, abort) => delay(ms, undefined, { signal: abort }),
        note: (event) => metrics.shardRequests.inc({ event }),
        hedgeMs: config.TRUENOW_QUERY_HEDGE_MS,
        hedgesMax: config.TRUENOW_QUERY_HEDGES_MAX,
        catchUpMs: CATCH_UP_MS,
        hedges,
      },
      signal,
    )
    for (const { slot, offset } of gathering.cuts) served.raise(key, slot, offset)
    return gathering
  }
  return {
    read,
    close: async (): Promise<void> => {
      stopFollowing()
      clients.close()
    },
  }
}

/** A table made anew under the same name has another uid, and its log starts anew. */
const servedKey = (view: CatalogView | undefined, { definition, uid }: TableView): string =>
  `${view?.catalogId} ${definition.namespace}.${definition.name} ${uid}`

function mapOf({ slot, epoch, replicas }: SlotView): SlotMap {
  const serving = replicas.filter(({ state }) => state === ReplicaState.SERVING)
  return {
    slot,
    epoch: BigInt(epoch),
    replicas: serving.map(({ shard, incarnation }) => ({ shard, incarnation: BigInt(incarnation) })),
    joining: replicas.filter(({ state }) => state === ReplicaState.JOINING).length,
  }
}
