import { create } from '@bufbuild/protobuf'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import {
  type RetireShardsRequest,
  type RetireShardsResponse,
  RetireShardsResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { retireShard } from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { requireLeader } from './grant-leader.ts'
import { type MoveRow, readOpenMoves, writeMove } from './move-rows.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, type SlotKey, slotKeyOf } from './placed-slots.ts'

/**
 * Catalog.RetireShards: the catalog forgets shards that hold no replica of a live table, all of them or none. A process of
 * theirs that still runs is told so with its next report, and whatever volume it brings back is a new one. A shard that is
 * not known is retired already. Errors: TN_MOVE_REFUSED where one is still needed, TN_LEADER_STALE.
 */
export async function retireShards(
  { store, follower, clock, log }: Parts,
  request: RetireShardsRequest,
): Promise<RetireShardsResponse> {
  const { shards } = request
  await store.change('retire-shards', async (change) => {
    await requireLeader(change, request.leaderEpoch)
    for (const shard of shards) await retire(change, shard, clock.nowUs())
  })
  log.info({ shards }, 'shards retired')
  await follower.refresh()
  return create(RetireShardsResponseSchema, {})
}

async function retire(change: Change, shard: number, nowUs: number): Promise<void> {
  const { query, touch, audit } = change
  const moves = (await readOpenMoves(query)).filter(({ from, to }) => from === shard || to === shard)
  const held = await query<{ table_id: number; slot: number }>(
    `SELECT table_id, slot FROM $schema.replica JOIN $schema.table_entry AS entry USING (table_id)
     WHERE shard = $1 AND entry.state = 'live'`,
    [shard],
  )
  const keys: SlotKey[] = [...moves, ...held.map(({ table_id, slot }) => ({ tableId: table_id, slot }))]
  const moveOf = new Map<string, MoveRow>(moves.map((move) => [slotKeyOf(move), move]))
  for (const [key, slot] of await readPlacedSlots(query, keys)) {
    const move = moveOf.get(key)
    const retired = retireShard(slot, move, shard)
    if (retired.kind === 'waits') {
      const message = `Shard ${shard} cannot be retired: ${retired.reason}; move its slots away first.`
      throw new TrueNowError('TN_MOVE_REFUSED', message, { details: { shard } })
    }
    if (move === undefined || retired.move === undefined || retired.move === move) continue
    const message = `shard ${shard} was retired`
    await writeMove(query, move, { ...move, ...retired.move, message }, nowUs)
    touch()
  }
  // Of tables that nobody serves: they are placed anew when they are adopted.
  await query('DELETE FROM $schema.replica WHERE shard = $1', [shard])
  const gone = await query('DELETE FROM $schema.shard WHERE shard = $1 RETURNING shard', [shard])
  if (gone.length === 0) return
  touch()
  audit('retire-shard', `shard ${shard}`, 'it holds no replica')
}
