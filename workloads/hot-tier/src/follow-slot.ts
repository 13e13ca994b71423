import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { PeerAddresses } from '@truenow/chassis/peer-addresses.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import { type ErrorCode, TrueNowError } from '@truenow/contracts/errors.ts'
import type { BlockStream } from '@truenow/contracts/gen/truenow/v1/subscribe_pb.ts'
import { rendezvous } from '@truenow/kernels/sharding/rendezvous.ts'
import { letGoOfBytes } from './let-go-of-bytes.ts'
import type { HotTierMetrics } from './metrics.ts'
import { type ShardSlot, slotName, type Taken } from './shard-slot.ts'
import type { SilenceWatch } from './silence-watch.ts'
import type { Turns } from './turns.ts'

export type FollowParts = Readonly<{
  context: RoleContext
  metrics: HotTierMetrics
  ingesters: Pick<PeerAddresses, 'current'>
  connect: (address: string) => Client<typeof BlockStream>
  /** Resolves when memory allows another block into this slot; at once for tables that evict. */
  mayApply: (slot: ShardSlot, signal: AbortSignal) => Promise<void>
  /** Called when a block found no room: something must leave. */
  onFull: (slot: ShardSlot) => void
  /** Whose turn it is on this thread: blocks and reads take it in turns. */
  turns: Turns
  /** Called after every event, so that a joining replica that caught up is reported soon. */
  onTaken: (slot: ShardSlot) => void
  /** Called when a run of ids stays unreadable: the slot must start over. */
  startOver: (slot: ShardSlot, error: TrueNowError) => void
  /** Records before `resumeOffset` are gone from the log: true when the slot now stands on a peer's copy that has them. */
  coverGap: (slot: ShardSlot, resumeOffset: number, signal: AbortSignal) => Promise<boolean>
  /** One for all slots of a shard. */
  silences: SilenceWatch
}>

/** An ingester speaks at least once a second; silent for longer, it is left. */
export const SILENCE_MS = 3_000
const BACKOFF_MS_MIN = 50
const BACKOFF_MS_MAX = 1_000
/** Between two attempts at a block that cannot be judged yet. */
const RETRY_MS = 100
/** A disk may stumble; a run that cannot be read so often is given up. */
const READ_ATTEMPTS_MAX = 3

/**
 * Follows one slot until `signal` aborts: subscribes to the ingester that rendezvous hashing names, to the next one when it
 * fails, and always from the replica's own cursor, so a change of ingester can neither lose nor double anything.
 */
export async function followSlot(slot: ShardSlot, parts: FollowParts, signal: AbortSignal): Promise<void> {
  const { namespace, name, slot: number } = slot.key
  const { log } = parts.context
  let backoffMs = BACKOFF_MS_MIN
  for (let attempt = 0; !signal.aborted; attempt++) {
    const order = rendezvous(slotName(namespace, name, number), parts.ingesters.current())
    const address = order[attempt % Math.max(1, order.length)]
    if (address !== undefined) {
      const before = slot.replica.cursor.offset
      const { reason, err } = await subscribeOnce(slot, parts, address, signal)
      if (signal.aborted) return
      parts.metrics.subscriptions.inc({ reason })
      log.debug({ namespace, table: name, slot: number, address, reason, err }, 'a subscription ended')
      if (reason === 'log-rewritten') {
        log.error({ namespace, table: name, slot: number, reason: slot.stalledReason }, 'slot stands still')
        return
      }
      if (slot.replica.cursor.offset > before) {
        backoffMs = BACKOFF_MS_MIN
        if (reason === 'ended') attempt = -1 // It served well and closed in order: back to the first choice.
      }
    }
    const jitter = 0.5 + Math.random() / 2
    await sleep(backoffMs * jitter, undefined, { signal }).catch(() => {})
    backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)
  }
}

type Ended = Readonly<{
  reason: 'ended' | 'failed' | 'silent' | 'broken-chain' | 'log-rewritten' | 'started-over' | 'copied'
  err?: unknown
}>

async function subscribeOnce(
  slot: ShardSlot,
  parts: FollowParts,
  address: string,
  signal: AbortSignal,
): Promise<Ended> {
  const { namespace, name, uid, slot: number } = slot.key
  const leaving = new AbortController()
  const watched = parts.silences.watch(() => leaving.abort())
  const { offset, checksum } = slot.replica.cursor
  const cursor = { offset: BigInt(offset), checksum }
  const request = { table: { namespace, name }, tableUid: uid, slot: number, cursor }
  try {
    const stream = parts
      .connect(address)
      .subscribe(request, { signal: AbortSignal.any([signal, leaving.signal]) })
    for await (const { event } of stream) {
      if (event.case === 'block') await parts.mayApply(slot, signal)
      if (signal.aborted) return { reason: 'ended' }
      if (event.case === 'dataLoss' && (await isCovered(slot, event.value.resumeOffset, parts, signal)))
        return { reason: 'copied' }
      if (signal.aborted) return { reason: 'ended' }
      const taken = await takeOncePossible(slot, event, parts, signal)
      watched.heard()
      parts.onTaken(slot)
      if (taken !== 'taken') return { reason: taken }
    }
    return { reason: leaving.signal.aborted ? 'silent' : 'ended' }
  } catch (err) {
    return { reason: 'failed', err }
  } finally {
    watched.close()
    leaving.abort()
  }
}

async function isCovered(
  slot: ShardSlot,
  resumeOffset: bigint,
  { coverGap }: FollowParts,
  signal: AbortSignal,
): Promise<boolean> {
  const isNews = Number(resumeOffset) - 1 > slot.replica.cursor.offset
  return isNews && (await coverGap(slot, Number(resumeOffset), signal))
}

/** Why a block cannot be taken yet, by the error that says so: the slot stalls, visibly, until it can. */
const STALLS: Readonly<Partial<Record<ErrorCode, string>>> = {
  TN_TABLE_UNKNOWN: 'TableVersionUnknown',
  TN_MEMORY_FULL: 'ArenaFull',
  TN_ID_RUN_UNREADABLE: 'IdRunUnreadable',
}

/**
 * A block that cannot be taken stalls the slot: of a table version that the catalog here does not have yet, until it has;
 * without room for its rows, until older ones have left; or because a run of ids cannot be read, until it can, or the
 * slot starts over without it.
 */
async function takeOncePossible(
  slot: ShardSlot,
  event: Parameters<ShardSlot['take']>[0],
  parts: FollowParts,
  signal: AbortSignal,
): Promise<Taken | 'started-over'> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      const taken = await takeInTurn(slot, event, parts.turns, signal)
      if (event.case === 'block') letGoOfBytes(event.value.value)
      if (Object.values(STALLS).some((reason) => slot.stalledReason.startsWith(reason)))
        slot.stalledReason = ''
      return taken
    } catch (error) {
      const reason = error instanceof TrueNowError ? STALLS[error.code] : undefined
      if (reason === undefined || signal.aborted) throw error
      const { code, message } = error as TrueNowError
      slot.stalledReason = `${reason}: ${message}`
      if (code === 'TN_MEMORY_FULL') parts.onFull(slot)
      if (code === 'TN_ID_RUN_UNREADABLE' && attempt >= READ_ATTEMPTS_MAX) {
        parts.startOver(slot, error as TrueNowError)
        return 'started-over'
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {})
      if (signal.aborted) throw error // Its replica may be gone.
    }
  }
}

/** Only blocks are work worth a turn. While one waits, the slot may have been dropped. */
async function takeInTurn(
  slot: ShardSlot,
  event: Parameters<ShardSlot['take']>[0],
  turns: Turns,
  signal: AbortSignal,
): Promise<Taken> {
  if (event.case !== 'block') return slot.take(event)
  return turns.apply(() => {
    signal.throwIfAborted()
    return slot.take(event)
  })
}
