import type { AdvanceMovesRequest, MovesResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import {
  commitMove,
  drainMove,
  dropReplica,
  finishMove,
  type MoveStep,
  NOBODY,
  type PlacedSlot,
  startMove,
} from '@truenow/kernels/sharding/move-protocol.ts'
import type { Change } from './catalog-store.ts'
import { requireLeader } from './grant-leader.ts'
import { whyNotCommitted, whyNotDropped, whyNotStarted } from './move-conditions.ts'
import { type MoveRow, readOpenMoves, writeMove } from './move-rows.ts'
import { movesMessage } from './moves-message.ts'
import type { Parts } from './parts.ts'
import { readPlacedSlots, slotKeyOf, writePlacedSlots } from './placed-slots.ts'
import { readShardSayings, type ShardSaying, slotStateOf } from './shard-sayings.ts'
import { isSilent } from './silent-shards.ts'

/** Whoever asks by the map of before the commit is told the new one by the old holder for this long. */
export const DRAIN_GRACE_MS = 5_000

type Scene = Readonly<{
  change: Change
  sayings: ReadonlyMap<number, ShardSaying>
  nowUs: number
  /** How many more may begin. */
  room: { moves: number }
  /** Only what serves already goes on. */
  paused: boolean
  nextEpoch: () => number
}>

/**
 * Catalog.AdvanceMoves: one step for each open move, as far as the last reports prove, all in one transaction. What cannot
 * go on says why. Repeated by the leader about once a second; a call that is lost, or comes twice, harms nothing.
 * Errors: TN_LEADER_STALE.
 */
export async function advanceMoves(
  { store, follower, clock, log, metrics }: Parts,
  request: AdvanceMovesRequest,
): Promise<MovesResponse> {
  const { planId, concurrentMoves } = request
  const answer = await store.change('advance-moves', async (change) => {
    const { query } = change
    await requireLeader(change, request.leaderEpoch)
    const moves = await readOpenMoves(query)
    const busy = moves.filter(({ phase }) => phase !== 'Planned' && phase !== 'Draining').length
    const sayings = await readShardSayings(query)
    const slots = await readPlacedSlots(query, moves)
    const room = { moves: Math.max(0, concurrentMoves - busy) }
    let epoch: number | undefined
    const nextEpoch = () => (epoch ??= change.nextEpoch())
    const scene = { change, sayings, nowUs: clock.nowUs(), room, paused: concurrentMoves === 0, nextEpoch }
    for (const move of moves) {
      const slot = slots.get(slotKeyOf(move))
      if (slot === undefined) continue
      const moved = await take(scene, move, slot, stepOf(scene, move, slot))
      if (moved === undefined) continue
      metrics.moveSteps.inc({ phase: moved.phase })
      log.info({ planId: move.planId, move: move.number, table: move.name, slot: move.slot, phase: moved.phase }, moved.message) // biome-ignore format: one line
    }
    return movesMessage(query, planId, sayings)
  })
  await follower.refresh()
  return answer
}

function stepOf(scene: Scene, move: MoveRow, slot: PlacedSlot): MoveStep {
  const { change, sayings, nowUs, nextEpoch } = scene
  const revision = change.catalog.revision + 1
  const waits = (reason: string): MoveStep => ({ kind: 'waits', reason })
  const to = sayings.get(move.to)
  switch (move.phase) {
    case 'Planned': {
      if (!move.approved) return waits('waits for approval')
      if (scene.room.moves === 0) return waits('waits for its turn')
      if (move.to === NOBODY) return dropOf(scene, move, slot)
      const why = whyNotStarted(move, slot, to, nowUs)
      if (why !== undefined || to === undefined) return waits(why ?? `shard ${move.to} is not known`)
      scene.room.moves -= 1
      return startMove(slot, move, { toIncarnation: to.incarnation, revision })
    }
    case 'CaughtUp': {
      if (scene.paused) return waits('waits: moves are paused')
      const why = whyNotCommitted(move, slot, sayings, nowUs)
      if (why !== undefined || to === undefined) return waits(why ?? `shard ${move.to} is not known`)
      return commitMove(slot, move, to, nextEpoch)
    }
    case 'Serving': {
      if (nowUs - move.steppedAtUs < DRAIN_GRACE_MS * 1_000)
        return waits(`shard ${move.from} still tells who asks it`)
      return drainMove(slot, move, revision)
    }
    case 'Draining': {
      const from = sayings.get(move.from)
      return finishMove(slot, move, reportOf(move, from, nowUs), from)
    }
    default: // Bootstrapping goes on by the report of `to` itself (report-shard.ts).
      return waits(progressOf(move, to))
  }
}

function dropOf(scene: Scene, move: MoveRow, slot: PlacedSlot): MoveStep {
  const { change, sayings, nowUs, nextEpoch } = scene
  const why = whyNotDropped(move, slot, sayings, nowUs)
  if (why !== undefined) return { kind: 'waits', reason: why }
  scene.room.moves -= 1
  return dropReplica(slot, move, change.catalog.replication_factor, nextEpoch)
}

/** What `from` said of the slot; undefined when that is too long ago to say anything. */
function reportOf(move: MoveRow, from: ShardSaying | undefined, nowUs: number) {
  if (from?.report === undefined || isSilent(from.reportedAtUs, nowUs)) return undefined
  const { incarnation, processId, catalogRevision } = from.report
  const state = slotStateOf(from.report, move)
  return {
    shard: move.from,
    incarnation: Number(incarnation),
    processId,
    revision: Number(catalogRevision),
    holds: state !== undefined,
    caughtUp: false,
  }
}

function progressOf(move: MoveRow, to: ShardSaying | undefined): string {
  const state = slotStateOf(to?.report, move)
  if (state === undefined) return `shard ${move.to} has not begun its copy yet`
  if (state.stalledReason !== '') return `shard ${move.to} stands still: ${state.stalledReason}`
  const left = Number(state.endOffset) - Number(state.cursor?.offset ?? -1n) - 1
  return `shard ${move.to} copies the slot, ${Math.max(0, left)} records behind the log`
}

/** Writes what a step came to; undefined when it only waits. */
async function take(
  scene: Scene,
  move: MoveRow,
  slot: PlacedSlot,
  step: MoveStep,
): Promise<MoveRow | undefined> {
  const { change, nowUs } = scene
  const { query, touch, audit } = change
  if (step.kind === 'waits') {
    if (step.reason !== move.message) await writeMove(query, move, { ...move, message: step.reason }, nowUs)
    return undefined
  }
  const { tableId } = move
  await writePlacedSlots(query, [{ tableId, slot: move.slot, before: slot, after: step.slot }])
  const epoch = step.slot.epoch === slot.epoch ? move.epoch : step.slot.epoch
  const after = { ...move, ...step.move, epoch, message: step.message }
  await writeMove(query, move, after, nowUs)
  touch()
  const where = `${move.namespace}.${move.name}/${move.slot} ${nameOf(move.from)} → ${nameOf(move.to)}`
  audit('advance-move', `${move.planId}/${move.number}`, `${after.phase}: ${where}`)
  return after
}

const nameOf = (shard: number): string => (shard === NOBODY ? 'nobody' : String(shard))
