import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState, type SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ShardLoad } from '@truenow/kernels/sharding/shard-use.ts'
import { slotHeat } from '@truenow/kernels/sharding/slot-heat.ts'
import { tableName } from './table-name.ts'

/** A slot as its replicas report it; of the one that takes the most where they differ. */
export type SlotFigures = Readonly<{
  table: string
  slot: number
  /** Shards that hold it. */
  held: readonly number[]
  /** A move of it is not over. */
  moving: boolean
  /** Of the hottest replica, with its shard; undefined: nobody who serves it reports. */
  hottest: HottestReplica | undefined
}>
export type HottestReplica = Readonly<{
  shard: number
  heat: number
  rowsPerSecond: number
  /** Shares of one core. */
  busyShare: number
  bytes: number
  topKeys: ReadonlyArray<Readonly<{ key: string; share: number }>>
}>

type Placement = GetPlacementResponse

/**
 * Every slot of the catalog with what its replicas take. All of them take in the same blocks, so of `applyShare` the greatest
 * holds for each: one that was just moved has not been measured for long. Pure.
 */
export function slotFigures(placement: Placement): SlotFigures[] {
  const said = sayingsOf(placement)
  const moving = new Set(placement.openMoves.map(({ table, slot }) => slotKey(`${table?.namespace}.${table?.name}`, slot))) // biome-ignore format: one line
  return (placement.catalog?.tables ?? []).flatMap(({ topic, slots }) => {
    const table = tableName(topic)
    return slots.map(({ slot, replicas }) => {
      const key = slotKey(table, slot)
      const states = replicas.flatMap(({ shard, state }) => {
        const of = said.get(key)?.get(shard)
        return state === ReplicaState.SERVING && of !== undefined ? [{ shard, ...of }] : []
      })
      const applyShare = greatestApply(states)
      const figures = states.map(({ shard, state, workerBytesMax }): HottestReplica => {
        const { scanShare, rowsPerSecond, topKeys } = state
        const bytes = Number(state.residentBytes)
        const heat = slotHeat({ applyShare, scanShare, bytes }, workerBytesMax)
        return { shard, heat, rowsPerSecond, busyShare: applyShare + scanShare, bytes, topKeys }
      })
      const hottest = figures.toSorted((a, b) => b.heat - a.heat || a.shard - b.shard)[0]
      return { table, slot, held: replicas.map(({ shard }) => shard), moving: moving.has(key), hottest }
    })
  })
}

/** What every shard that reports takes and may take. `mayTake` says which ones may be given more. Pure. */
export function shardLoads(placement: Placement, mayTake: (shard: number) => boolean): ShardLoad[] {
  const said = sayingsOf(placement)
  return placement.loads.map(({ shard, slots, workers, memoryBytes, memoryBytesMax }) => ({
    shard,
    busyShare: slots.reduce((sum, state) => {
      const replicas = said.get(slotKeyOf(state))?.values() ?? []
      return sum + state.scanShare + greatestApply([...replicas])
    }, 0),
    workers: Math.max(1, workers),
    bytes: Number(memoryBytes),
    bytesMax: Number(memoryBytesMax),
    takes: mayTake(shard) && !placement.silentShards.includes(shard),
  }))
}

/** Names a slot in all of this. */
export const slotKey = (table: string, slot: number): string => `${table}/${slot}`
const slotKeyOf = ({ table, slot }: SlotState) => slotKey(`${table?.namespace}.${table?.name}`, slot)

type Saying = Readonly<{ state: SlotState; workerBytesMax: number }>
const greatestApply = (sayings: readonly Saying[]): number =>
  sayings.reduce((most, { state }) => Math.max(most, state.applyShare), 0)

/** What shards that are not silent say of each slot, by its key and their ordinal. */
function sayingsOf({ loads, silentShards }: Placement): Map<string, Map<number, Saying>> {
  const said = new Map<string, Map<number, Saying>>()
  for (const { shard, slots, workers, memoryBytesMax } of loads) {
    if (silentShards.includes(shard)) continue
    const workerBytesMax = Number(memoryBytesMax) / Math.max(1, workers)
    for (const state of slots) {
      const key = slotKeyOf(state)
      const ofSlot = said.get(key) ?? new Map<number, Saying>()
      said.set(key, ofSlot.set(shard, { state, workerBytesMax }))
    }
  }
  return said
}
