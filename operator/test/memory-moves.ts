import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  GrantLeaderResponseSchema,
  MovePhase,
  type MovesResponse,
  MovesResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  grantLeader,
  type LeaderGrant,
  NOBODY,
  whyNotHeard,
} from '@truenow/kernels/sharding/move-protocol.ts'
import type { ControlPlane } from '../src/operands.ts'

export type MemoryMove = { table: { namespace: string; name: string }; slot: number; from: number; to: number; bytes: bigint; phase: MovePhase; approved: boolean; reason: string } // biome-ignore format: one line
type Moves = Pick<ControlPlane, 'grantLeader' | 'planMoves' | 'approveMoves' | 'advanceMoves' | 'cancelMoves'>
/** LEADER_CLAIM_SECONDS of control-plane/grant-leader.ts. */
const LEADER_CLAIM_MS = 60_000
const ENDED: readonly MovePhase[] = [MovePhase.DONE, MovePhase.CANCELLED, MovePhase.FAILED]
const CHANGED_OVER: readonly MovePhase[] = [MovePhase.SERVING, MovePhase.DRAINING, MovePhase.DONE]

/**
 * The control plane's moves with shards that do at once what they are told: a step each time that AdvanceMoves is called.
 * `answer` sees every call, as of the other methods.
 */
export function createMemoryMoves(
  answer: <Answer>(call: { method: string; uid: string }, work: () => Answer) => Promise<Answer>,
  nowMs: () => number,
) {
  const state = {
    leader: undefined as LeaderGrant | undefined,
    operator: '',
    heardMs: 0,
    plans: new Map<string, MemoryMove[]>(),
    /** Shards that do not do what they are told: moves from them stay Draining, moves to them Bootstrapping. */
    silent: new Set<number>(),
  }
  const stale = (why: string) => {
    const { epoch: leaderEpoch = 0, holder = '' } = state.leader ?? {}
    return new TrueNowError('TN_LEADER_STALE', why, {
      details: { leaderEpoch, operator: state.operator, holder },
    })
  }
  /** Who holds a slot, by what it began with and the moves that have changed over since. */
  const placed = (table: string, slot: number, first: readonly number[]): readonly number[] => {
    let held = first
    for (const move of [...state.plans.values()].flat()) {
      if (`${move.table.namespace}.${move.table.name}` !== table || move.slot !== slot) continue
      if (!CHANGED_OVER.includes(move.phase)) continue
      held = [...held.filter((shard) => shard !== move.from), ...(move.to === NOBODY ? [] : [move.to])]
    }
    return held.toSorted((a, b) => a - b)
  }
  /** Replicas that join or leave beside those, as kernels' move-protocol has them by phase. */
  const between = (table: string, slot: number) =>
    [...state.plans.values()].flat().flatMap((move): Array<{ shard: number; state: ReplicaState }> => {
      if (`${move.table.namespace}.${move.table.name}` !== table || move.slot !== slot) return []
      const { from, to, phase } = move
      const joins = phase === MovePhase.BOOTSTRAPPING || phase === MovePhase.CAUGHT_UP
      if (joins && to !== NOBODY) return [{ shard: to, state: ReplicaState.JOINING }]
      const leaves = phase === MovePhase.SERVING && from !== NOBODY
      return leaves ? [{ shard: from, state: ReplicaState.LEAVING }] : []
    })
  /** As control-plane/grant-leader.ts: every command of a leader that is not the newest is refused. */
  const require = (epoch: bigint | undefined): void => {
    const why = whyNotHeard(state.leader, Number(epoch ?? 0n))
    if (why !== undefined) throw stale(why)
    state.heardMs = nowMs()
  }
  const told = (planId: string): MovesResponse =>
    create(MovesResponseSchema, {
      moves: (state.plans.get(planId) ?? []).map((move, number) => ({
        ...move,
        number,
        bytesCopied: move.phase >= MovePhase.SERVING && move.phase <= MovePhase.DONE ? move.bytes : 0n,
        message: `is ${move.phase}`,
      })),
    })
  const calls: Moves = {
    grantLeader: ({ operator = '', holder = '', leaseCreatedAtUs = 0n, leaseTransitions = 0n }) =>
      answer({ method: 'grantLeader', uid: holder }, () => {
        const asking = {
          createdAtUs: Number(leaseCreatedAtUs),
          transitions: Number(leaseTransitions),
          holder,
        }
        // Terms of two Leases cannot be compared; another operator is heard when the former has been silent.
        const other = state.leader !== undefined && state.operator !== operator
        if (other && nowMs() - state.heardMs < LEADER_CLAIM_MS)
          throw stale(`operator ${state.operator} commanded just now`)
        const granted = other
          ? { ...asking, epoch: (state.leader?.epoch ?? 0) + 1 }
          : grantLeader(state.leader, asking)
        if (typeof granted === 'string') throw stale(granted)
        state.leader = granted
        Object.assign(state, { operator, heardMs: nowMs() })
        return create(GrantLeaderResponseSchema, { leaderEpoch: BigInt(granted.epoch) })
      }),
    planMoves: ({ leaderEpoch, planId = '', reason = '', moves = [] }) =>
      answer({ method: 'planMoves', uid: planId }, () => {
        require(leaderEpoch)
        if (state.plans.get(planId)?.some(({ approved }) => approved) === true) return told(planId)
        const planned = moves.map(({ table, slot = 0, from = 0, to = 0, bytes = 0n }) => ({
          table: { namespace: table?.namespace ?? '', name: table?.name ?? '' },
          slot,
          from,
          to,
          bytes,
          phase: MovePhase.PLANNED as MovePhase,
          approved: false,
          reason,
        }))
        state.plans.set(planId, planned)
        return told(planId)
      }),
    approveMoves: ({ leaderEpoch, planId = '' }) =>
      answer({ method: 'approveMoves', uid: planId }, () => {
        require(leaderEpoch)
        for (const move of state.plans.get(planId) ?? []) move.approved = true
        return told(planId)
      }),
    advanceMoves: ({ leaderEpoch, planId = '', concurrentMoves = 0 }) =>
      answer({ method: 'advanceMoves', uid: planId }, () => {
        require(leaderEpoch)
        const open = [...state.plans.values()].flat().filter(({ phase }) => !ENDED.includes(phase))
        const busy = open.filter(({ phase }) => phase !== MovePhase.PLANNED).length
        let room = Math.max(0, concurrentMoves - busy)
        for (const move of open) {
          const begins = move.phase === MovePhase.PLANNED
          const held = concurrentMoves === 0 && move.phase < MovePhase.SERVING
          if (held || (begins && (!move.approved || room-- <= 0))) continue
          if (move.phase === MovePhase.DRAINING && state.silent.has(move.from)) continue
          if (move.phase === MovePhase.BOOTSTRAPPING && state.silent.has(move.to)) continue
          move.phase = (move.phase + 1) as MovePhase
        }
        return told(planId)
      }),
    cancelMoves: ({ leaderEpoch, planId = '' }) =>
      answer({ method: 'cancelMoves', uid: planId }, () => {
        require(leaderEpoch)
        for (const move of state.plans.get(planId) ?? []) cancel(move)
        return told(planId)
      }),
  }
  const cancel = (move: MemoryMove): void => {
    if (move.phase < MovePhase.SERVING) move.phase = MovePhase.CANCELLED
  }
  const open = () =>
    [...state.plans].flatMap(([planId, moves]) =>
      moves.flatMap((move) => (ENDED.includes(move.phase) ? [] : [{ planId, move }])),
    )
  const openPlans = (): string[] =>
    [...state.plans].flatMap(([planId, moves]) =>
      moves.some(({ phase }) => !ENDED.includes(phase)) ? [planId] : [],
    )
  return { state, calls, placed, between, openPlans, open, cancel, require }
}
