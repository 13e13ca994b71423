import { TrueNowError } from '@truenow/contracts/errors.ts'
import type {
  MovesRequest,
  MovesResponse,
  PlanMovesRequest,
  PlannedMove,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { NOBODY, whyNotPlanned } from '@truenow/kernels/sharding/move-protocol.ts'
import { endMoves } from './cancel-moves.ts'
import type { Change } from './catalog-store.ts'
import { drainedShards } from './drained-shards.ts'
import { requireLeader } from './grant-leader.ts'
import { readOpenMoves, readOpenMovesOf } from './move-rows.ts'
import { movesMessage } from './moves-message.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, type SlotKey, slotKeyOf } from './placed-slots.ts'

/** Why a plan is made whose moves come before those of a Balance: shards shall go, or replicas are missing. */
export const URGENT_REASONS: readonly string[] = ['RemoveShards', 'Repair']
/** Moves of one plan. */
export const PLANNED_MOVES_MAX = 1_000

type Checked = SlotKey & Readonly<{ number: number; planned: PlannedMove }>

/**
 * Catalog.PlanMoves. The whole plan or nothing: a plan in which anything is impossible was made from an old placement.
 * Moves of this plan that have not begun are replaced; once one was approved the plan stands, and repeating it changes nothing.
 * Errors: TN_MOVE_REFUSED with the first move that cannot be, TN_LEADER_STALE.
 */
export async function planMoves(
  { store, follower, clock }: Parts,
  request: PlanMovesRequest,
): Promise<MovesResponse> {
  const { planId, moves, reason, askedBy } = request
  if (planId === '' || moves.length > PLANNED_MOVES_MAX) {
    const message = `PlanMoves needs a plan id and at most ${PLANNED_MOVES_MAX} moves (PLANNED_MOVES_MAX); it had '${planId}' and ${moves.length}.`
    throw new TrueNowError('TN_REQUEST_INVALID', message)
  }
  const answer = await store.change(askedBy === '' ? planId : askedBy, async (change) => {
    const { query, touch, audit } = change
    await requireLeader(change, request.leaderEpoch)
    const [begun] = await query('SELECT 1 FROM $schema.move WHERE plan_id = $1 AND approved LIMIT 1', [
      planId,
    ])
    if (begun !== undefined) return movesMessage(query, planId)
    await query('DELETE FROM $schema.move WHERE plan_id = $1', [planId])
    if (URGENT_REASONS.includes(reason)) await makeWay(change, moves, clock.nowUs())
    const checked = await checkMoves(change, moves)
    await query(
      `INSERT INTO $schema.move (plan_id, number, table_id, slot, from_shard, to_shard, phase, bytes, reason, asked_by, message, planned_at_us)
       SELECT $1, given.*, $8, $9, 'waits for approval', $10::bigint
       FROM unnest($2::int[], $3::bigint[], $4::int[], $5::int[], $6::int[], array_fill('Planned'::text, ARRAY[$11::int]), $7::bigint[]) AS given`,
      [
        planId,
        checked.map(({ number }) => number),
        checked.map(({ tableId }) => tableId),
        checked.map(({ slot }) => slot),
        checked.map(({ planned }) => planned.from),
        checked.map(({ planned }) => planned.to),
        checked.map(({ planned }) => Number(planned.bytes)),
        reason,
        askedBy,
        clock.nowUs(),
        checked.length,
      ],
    )
    touch()
    audit('plan-moves', planId, `${checked.length} moves, ${reason}`)
    return movesMessage(query, planId)
  })
  await follower.refresh()
  return answer
}

/** Catalog.ApproveMoves. Errors: TN_LEADER_STALE. */
export async function approveMoves(
  { store, follower }: Parts,
  request: MovesRequest,
): Promise<MovesResponse> {
  const { planId } = request
  const answer = await store.change(planId, async (change) => {
    const { query, touch, audit } = change
    await requireLeader(change, request.leaderEpoch)
    const approved = await query(
      `UPDATE $schema.move SET approved = true, message = 'waits for its turn'
       WHERE plan_id = $1 AND NOT approved AND phase = 'Planned' RETURNING number`,
      [planId],
    )
    if (approved.length > 0) {
      touch()
      audit('approve-moves', planId, `${approved.length} moves`)
    }
    return movesMessage(query, planId)
  })
  await follower.refresh()
  return answer
}

/** Undoes the moves of a Balance that these slots have and that do not serve yet. */
async function makeWay(change: Change, moves: readonly PlannedMove[], nowUs: number): Promise<void> {
  const wanted = new Set(moves.map(({ table, slot }) => `${table?.namespace}.${table?.name}/${slot}`))
  const inTheWay = (await readOpenMoves(change.query)).filter(
    ({ namespace, name, slot, reason }) =>
      wanted.has(`${namespace}.${name}/${slot}`) && !URGENT_REASONS.includes(reason),
  )
  await endMoves(change, inTheWay, nowUs, 'cancel')
}

async function checkMoves({ query, catalog }: Change, moves: readonly PlannedMove[]): Promise<Checked[]> {
  const tables = await query<{ table_id: number; namespace: string; name: string }>(
    "SELECT table_id, namespace, name FROM $schema.table_entry WHERE state = 'live'",
  )
  const idOf = new Map(tables.map(({ table_id, namespace, name }) => [`${namespace}.${name}`, table_id]))
  const checked = moves.map((planned, number) => {
    const table = `${planned.table?.namespace}.${planned.table?.name}`
    const tableId = idOf.get(table)
    if (tableId === undefined) throw refused(planned, number, `there is no table ${table}`)
    return { number, tableId, slot: planned.slot, planned }
  })
  const slots = await readPlacedSlots(query, checked)
  const open = Map.groupBy(await readOpenMovesOf(query, checked), slotKeyOf)
  const seen = new Set<string>()
  const drained = drainedShards(catalog)
  for (const { number, planned, ...key } of checked) {
    const at = slotKeyOf(key)
    const holders = slots.get(at)?.replicas.map(({ shard }) => shard)
    const busy = whyNotPlanned(open.get(at) ?? [])
    if (holders === undefined) throw refused(planned, number, 'there is no such slot')
    if (busy !== undefined) throw refused(planned, number, busy)
    if (seen.has(at)) throw refused(planned, number, 'the plan moves the slot twice')
    if (planned.from === NOBODY && planned.to === NOBODY) throw refused(planned, number, 'it names no shard')
    if (planned.from !== NOBODY && !holders.includes(planned.from))
      throw refused(planned, number, `shard ${planned.from} does not hold it`)
    if (holders.includes(planned.to)) throw refused(planned, number, `shard ${planned.to} holds it already`)
    if (planned.to >= catalog.shards)
      throw refused(
        planned,
        number,
        `shard ${planned.to} is not one of the ${catalog.shards} shards declared`,
      )
    if (drained.includes(planned.to)) throw refused(planned, number, `shard ${planned.to} is drained`)
    seen.add(at)
  }
  return checked
}

function refused({ table, slot, from, to }: PlannedMove, number: number, why: string): TrueNowError {
  const message = `Move ${number}, ${table?.namespace}.${table?.name}/${slot} from shard ${from} to ${to}, cannot be: ${why}; plan again from the present placement.`
  return new TrueNowError('TN_MOVE_REFUSED', message, { details: { move: number } })
}
