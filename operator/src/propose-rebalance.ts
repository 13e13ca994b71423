import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { planPlacement } from '@truenow/kernels/sharding/plan-placement.ts'
import { type RebalanceStatus, SHOWN_MOVES_MAX } from './api/v1alpha1/rebalance.ts'

/** Moves that one proposal plans at most. */
export const PROPOSED_MOVES_MAX = 1_000

export type Proposal = Required<Pick<RebalanceStatus, 'moveCount' | 'bytesToMove' | 'moves' | 'shards'>> & {
  /** Every move; `moves` are those that status shows. */
  readonly all: Required<RebalanceStatus>['moves']
}

/** The moves that would even the shards out, over all tables at once, by the one planner. Same placement, same proposal. Pure. */
export function proposeRebalance({ catalog, loads }: GetPlacementResponse): Proposal {
  const tables = catalog?.tables ?? []
  const shards = (catalog?.shards ?? []).map(({ shard }) => shard)
  const slots = tables.flatMap((table) =>
    table.slots.map((slot) => ({ table: tableName(table.topic), slot })),
  )
  const before = slots.map(({ slot }) => slot.replicas.map(({ shard }) => shard))
  const plan = planPlacement({
    slots: before,
    shards,
    replicationFactor: catalog?.replicationFactor ?? 1,
    movesMax: PROPOSED_MOVES_MAX,
  })
  const moves = plan.moves.flatMap(({ slot: index, from, to }) => {
    const moved = slots[index]
    if (moved === undefined) return []
    const { table, slot } = moved
    return [{ table, slot: slot.slot, from, to, bytes: residentBytes(loads, from, table, slot.slot) }]
  })
  const count = (placed: ReadonlyArray<readonly number[]>, shard: number) =>
    placed.filter((held) => held.includes(shard)).length
  return {
    moveCount: moves.length,
    bytesToMove: moves.reduce((sum, { bytes }) => sum + bytes, 0),
    moves: moves.slice(0, SHOWN_MOVES_MAX),
    all: moves,
    shards: shards.map((shard) => ({
      shard,
      replicasBefore: count(before, shard),
      replicasAfter: count(plan.slots, shard),
      memoryBytes: Number(loads.find((load) => load.shard === shard)?.memoryBytes ?? 0n),
    })),
  }
}

/** `namespace.name`, the end of a topic's name; neither holds a dot. */
const tableName = (topic: string): string => topic.split('.').slice(-2).join('.')

function residentBytes(
  loads: GetPlacementResponse['loads'],
  shard: number,
  table: string,
  slot: number,
): number {
  const states = loads.find((load) => load.shard === shard)?.slots ?? []
  const state = states.find(
    (one) => one.slot === slot && `${one.table?.namespace}.${one.table?.name}` === table,
  )
  return Number(state?.residentBytes ?? 0n)
}
