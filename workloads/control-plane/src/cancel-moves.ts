import type { MovesRequest, MovesResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { cancelMove, drainMove, isOpen } from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { requireLeader } from './grant-leader.ts'
import { type MoveRow, readPlan, writeMove } from './move-rows.ts'
import { movesMessage } from './moves-message.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, type SlotChange, slotKeyOf, writePlacedSlots } from './placed-slots.ts'

/** Catalog.CancelMoves. What serves already goes on to its end; a move back undoes it. Errors: TN_LEADER_STALE. */
export async function cancelMoves(
  { store, follower, clock }: Parts,
  request: MovesRequest,
): Promise<MovesResponse> {
  const { planId } = request
  const answer = await store.change(planId, async (change) => {
    await requireLeader(change, request.leaderEpoch)
    const moves = await readPlan(change.query, planId)
    const cancelled = await endMoves(change, moves.filter(isOpen), clock.nowUs(), 'cancel')
    if (cancelled > 0) change.audit('cancel-moves', planId, `${cancelled} moves`)
    return movesMessage(change.query, planId)
  })
  await follower.refresh()
  return answer
}

/**
 * Ends open moves now. `cancel` undoes what does not serve yet and leaves the others alone; `forget` also drops the copies
 * that were leaving, because their table is there no more. Answers how many ended.
 */
export async function endMoves(
  { query, catalog, touch }: Change,
  moves: readonly MoveRow[],
  nowUs: number,
  how: 'cancel' | 'forget',
): Promise<number> {
  const slots = await readPlacedSlots(query, moves)
  const changes: SlotChange[] = []
  let ended = 0
  for (const move of moves) {
    const before = slots.get(slotKeyOf(move))
    if (before === undefined) continue
    const undone = cancelMove(before, move)
    if (undone.kind === 'waits' && how === 'cancel') continue
    const step = undone.kind === 'stepped' ? undone : drainMove(before, move, catalog.revision + 1)
    if (step.kind === 'waits') continue
    const phase = undone.kind === 'stepped' ? step.move.phase : 'Done'
    const message = undone.kind === 'stepped' ? step.message : 'the table is there no more'
    changes.push({ tableId: move.tableId, slot: move.slot, before, after: step.slot })
    await writeMove(query, move, { ...move, ...step.move, phase, message }, nowUs)
    ended += 1
  }
  await writePlacedSlots(query, changes)
  if (ended > 0) touch()
  return ended
}
