import type { Query } from '@truenow/chassis/postgres-port.ts'
import { isOpen, type MovePhase, type SlotMove } from '@truenow/kernels/sharding/move-protocol.ts'
import type { SlotKey } from './placed-slots.ts'

/** A move as the catalog keeps it: what the protocol decides by, and what people want to know of it. */
export type MoveRow = SlotKey &
  SlotMove &
  Readonly<{
    planId: string
    number: number
    namespace: string
    name: string
    approved: boolean
    /** Epoch under which `to` began to serve; 0 = it has not. */
    epoch: number
    bytes: number
    /** Why it was planned: Balance, RemoveShards or Repair. */
    reason: string
    message: string
    plannedAtUs: number
    startedAtUs: number
    steppedAtUs: number
    endedAtUs: number
  }>

/** Moves that have ended and are kept, for people to look at; the oldest go. */
export const ENDED_MOVES_MAX = 1_000

const OPEN = "move.phase NOT IN ('Done', 'Cancelled', 'Failed')"
const SELECT = `SELECT move.*, entry.namespace, entry.name FROM $schema.move AS move JOIN $schema.table_entry AS entry USING (table_id)`

export const readPlan = (query: Query, planId: string): Promise<MoveRow[]> =>
  select(query, `${SELECT} WHERE plan_id = $1 ORDER BY number`, [planId])

/** Open moves of live tables, in the order they were planned. */
export const readOpenMoves = (query: Query): Promise<MoveRow[]> =>
  select(
    query,
    `${SELECT} WHERE ${OPEN} AND entry.state = 'live' ORDER BY planned_at_us, plan_id, number`,
    [],
  )

/** The open moves of these slots: at most one each. */
export const readOpenMovesOf = (query: Query, keys: readonly SlotKey[]): Promise<MoveRow[]> =>
  select(
    query,
    `${SELECT} WHERE ${OPEN} AND (table_id, move.slot) IN (SELECT * FROM unnest($1::bigint[], $2::int[]))`,
    [keys.map(({ tableId }) => tableId), keys.map(({ slot }) => slot)],
  )

/** Writes a step. `nowUs` becomes the time at which the phase began, if it is another one. */
export async function writeMove(query: Query, before: MoveRow, after: MoveRow, nowUs: number): Promise<void> {
  const { planId, number, phase, proof } = after
  const moved = phase !== before.phase
  const startedAtUs = after.startedAtUs === 0 && phase === 'Bootstrapping' ? nowUs : after.startedAtUs
  await query(
    `UPDATE $schema.move SET phase = $3, since_revision = $4, from_incarnation = $5, proof_incarnation = $6,
       proof_process_id = $7, epoch = $8, message = $9, started_at_us = $10, stepped_at_us = $11, ended_at_us = $12
     WHERE plan_id = $1 AND number = $2`,
    [
      planId,
      number,
      phase,
      after.sinceRevision,
      after.fromIncarnation,
      proof?.incarnation ?? null,
      proof?.processId ?? null,
      after.epoch,
      after.message,
      startedAtUs,
      moved ? nowUs : after.steppedAtUs,
      isOpen(after) ? 0 : nowUs,
    ],
  )
  if (isOpen(after)) return
  await query(
    `DELETE FROM $schema.move WHERE ended_at_us > 0 AND (plan_id, number) NOT IN (
       SELECT plan_id, number FROM $schema.move WHERE ended_at_us > 0 ORDER BY ended_at_us DESC, number DESC LIMIT $1)`,
    [ENDED_MOVES_MAX],
  )
}

type Row = {
  plan_id: string
  number: number
  table_id: number
  namespace: string
  name: string
  slot: number
  from_shard: number
  to_shard: number
  phase: MovePhase
  approved: boolean
  since_revision: number
  from_incarnation: number
  proof_incarnation: number | null
  proof_process_id: string | null
  epoch: number
  bytes: number
  reason: string
  message: string
  planned_at_us: number
  started_at_us: number
  stepped_at_us: number
  ended_at_us: number
}

async function select(query: Query, sql: string, parameters: readonly unknown[]): Promise<MoveRow[]> {
  const rows = await query<Row>(sql, parameters)
  return rows.map((row) => ({
    planId: row.plan_id,
    number: row.number,
    tableId: row.table_id,
    namespace: row.namespace,
    name: row.name,
    slot: row.slot,
    from: row.from_shard,
    to: row.to_shard,
    phase: row.phase,
    approved: row.approved,
    sinceRevision: row.since_revision,
    fromIncarnation: row.from_incarnation,
    proof:
      row.proof_incarnation === null
        ? undefined
        : { incarnation: row.proof_incarnation, processId: row.proof_process_id ?? '' },
    epoch: row.epoch,
    bytes: row.bytes,
    reason: row.reason,
    message: row.message,
    plannedAtUs: row.planned_at_us,
    startedAtUs: row.started_at_us,
    steppedAtUs: row.stepped_at_us,
    endedAtUs: row.ended_at_us,
  }))
}
