import { create } from '@bufbuild/protobuf'
import type { Query } from '@truenow/chassis/postgres-port.ts'
import {
  MovePhase,
  type MovesResponse,
  MovesResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type MoveRow, readPlan } from './move-rows.ts'
import { readShardSayings, type ShardSaying, slotStateOf } from './shard-sayings.ts'

export const MOVE_PHASES: Readonly<Record<MoveRow['phase'], MovePhase>> = {
  Planned: MovePhase.PLANNED,
  Bootstrapping: MovePhase.BOOTSTRAPPING,
  CaughtUp: MovePhase.CAUGHT_UP,
  Serving: MovePhase.SERVING,
  Draining: MovePhase.DRAINING,
  Done: MovePhase.DONE,
  Cancelled: MovePhase.CANCELLED,
  Failed: MovePhase.FAILED,
}

/** The moves of one plan as callers see them, with how far each copy is; `known`: what shards said, where that was read already. */
export async function movesMessage(
  query: Query,
  planId: string,
  known?: ReadonlyMap<number, ShardSaying>,
): Promise<MovesResponse> {
  const moves = await readPlan(query, planId)
  const copying = moves.some(({ phase }) => phase === 'Bootstrapping' || phase === 'CaughtUp')
  const sayings = known ?? (copying ? await readShardSayings(query) : new Map<number, ShardSaying>())
  return create(MovesResponseSchema, {
    moves: moves.map((move) => ({
      number: move.number,
      table: { namespace: move.namespace, name: move.name },
      slot: move.slot,
      from: move.from,
      to: move.to,
      phase: MOVE_PHASES[move.phase],
      approved: move.approved,
      bytes: BigInt(move.bytes),
      bytesCopied: BigInt(bytesCopied(move, sayings.get(move.to))),
      message: move.message,
      epoch: BigInt(move.epoch),
      plannedAtUs: BigInt(move.plannedAtUs),
      startedAtUs: BigInt(move.startedAtUs),
      endedAtUs: BigInt(move.endedAtUs),
    })),
  })
}

function bytesCopied(move: MoveRow, to: ShardSaying | undefined): number {
  const { phase, bytes } = move
  if (phase === 'Serving' || phase === 'Draining' || phase === 'Done') return bytes
  if (phase !== 'Bootstrapping' && phase !== 'CaughtUp') return 0
  return Math.min(bytes, Number(slotStateOf(to?.report, move)?.residentBytes ?? 0n))
}
