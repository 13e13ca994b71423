import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import { type RebalanceStatus, SHOWN_MOVES_MAX } from './api/v1alpha1/rebalance.ts'
import { type Heat, PROPOSED_MOVES_MAX, planBalance } from './plan-balance.ts'
import { mayHold, planRepair, type RepairGoal, type RepairMove } from './plan-repair.ts'
import { tableName } from './table-name.ts'

export type Proposal = Required<Pick<RebalanceStatus, 'moveCount' | 'bytesToMove' | 'moves' | 'shards'>> & {
  /** Every move; `moves` are those that status shows. */
  readonly all: readonly RepairMove[]
}

/** The moves that would even the shards out. Pure. */
export function proposeBalance(placement: GetPlacementResponse, heat?: Heat): Proposal {
  return proposalOf(placement, planBalance(placement, heat))
}

/**
 * The moves without which slots stand where they may not, or on too few shards, or on too many: RemoveShards those away from
 * shards that shall go, Repair all others, so that no move is asked for twice. Pure.
 */
export function proposeRepair(placement: GetPlacementResponse, goal: RepairGoal, mode: RepairMode): Proposal {
  const moves = planRepair(placement, goal).moves.filter((move) => modeOf(move, goal) === mode)
  return proposalOf(placement, moves.slice(0, PROPOSED_MOVES_MAX))
}

export type RepairMode = 'RemoveShards' | 'Repair'

/** Which Rebalance a move belongs to. Pure. */
export const modeOf = ({ from }: RepairMove, goal: RepairGoal): RepairMode =>
  from !== NOBODY && !mayHold(goal, from) ? 'RemoveShards' : 'Repair'

type Placed = Pick<GetPlacementResponse, 'catalog' | 'loads'>

function proposalOf(placement: Placed, all: readonly RepairMove[]): Proposal {
  return {
    moveCount: all.length,
    bytesToMove: all.reduce((sum, { bytes, to }) => sum + (to === NOBODY ? 0 : bytes), 0),
    moves: all.slice(0, SHOWN_MOVES_MAX).map(shownMove),
    all,
    shards: shardsOf(placement, all),
  }
}

/** What each shard holds before these moves begin, and after them. Pure. */
export function shardsOf(
  { catalog, loads }: Placed,
  moves: ReadonlyArray<Readonly<{ from: number; to: number }>>,
): Proposal['shards'] {
  const slots = slotsOf(catalog)
  const before = (shard: number) =>
    slots.filter(({ slot }) => slot.replicas.some((replica) => replica.shard === shard)).length
  const count = (by: 'from' | 'to', shard: number) => moves.filter((move) => move[by] === shard).length
  return (catalog?.shards ?? []).map(({ shard }) => ({
    shard,
    replicasBefore: before(shard),
    replicasAfter: before(shard) + count('to', shard) - count('from', shard),
    memoryBytes: Number(loads.find((load) => load.shard === shard)?.memoryBytes ?? 0n),
  }))
}

/** As status shows a move: nobody is left out. Pure. */
export function shownMove<Move extends Readonly<{ from: number; to: number }>>({ from, to, ...move }: Move) {
  return { ...move, ...(from === NOBODY ? {} : { from }), ...(to === NOBODY ? {} : { to }) }
}

const slotsOf = (catalog: GetPlacementResponse['catalog']) =>
  (catalog?.tables ?? []).flatMap((table) =>
    table.slots.map((slot) => ({ table: tableName(table.topic), slot })),
  )
