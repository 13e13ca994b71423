import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@truenow/chassis/grpc-client.ts'
import type { RoleContext } from '@truenow/chassis/running-role.ts'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Shard } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { CopyPeer } from './copy-peers.ts'
import type { HotTierMetrics } from './metrics.ts'
import type { Permits } from './permits.ts'
import type { ShardSlot } from './shard-slot.ts'
import { copyDirectory, placeCopy, removeCopy, takeCopy } from './take-copy.ts'

export type CopyFromParts = Readonly<{
  context: RoleContext
  metrics: HotTierMetrics
  /** Who can be asked, as the catalog says at this moment. */
  peers: (slot: ShardSlot) => readonly CopyPeer[]
  connect: (address: string) => Client<typeof Shard>
  permits: Permits
  refuse: (file: string, why: string) => void
}>

/** Between two rounds over all peers. */
const PAUSE_MS = 250

/** The copy's cursor must be at `atLeastOffset` or beyond; peers that fail are asked again for `patienceMs`. */
export type CopyWanted = Readonly<{ atLeastOffset: number; patienceMs: number }>

/**
 * Puts the slot on a copy of a peer's newest snapshot. A peer that fails, leaves in the middle or gives what is no good is left
 * for the next; one that is busy is waited for. False: nobody has one, or nobody gave one; then the log is what there is. Aborting `signal` ends it at any point and leaves nothing on the volume but a whole copy.
 */
export async function copyFromPeers(
  slot: ShardSlot,
  { atLeastOffset, patienceMs }: CopyWanted,
  parts: CopyFromParts,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock } = parts.context
  let giveUpAtMs = clock.monotonicMs() + patienceMs
  while (!signal.aborted) {
    const outcomes: Outcome[] = []
    for (const peer of parts.peers(slot)) {
      const outcome = await copyInTurn(slot, atLeastOffset, peer, parts, signal)
      parts.metrics.copiesTaken.inc({ outcome })
      if (outcome === 'taken') return true
      if (signal.aborted) return false
      outcomes.push(outcome)
    }
    if (outcomes.every((outcome) => outcome === 'empty')) return false
    if (outcomes.includes('busy')) giveUpAtMs = clock.monotonicMs() + patienceMs
    else if (clock.monotonicMs() >= giveUpAtMs) return false
    await sleep(PAUSE_MS * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
  }
  return false
}

type Outcome = 'taken' | 'empty' | 'busy' | 'refused' | 'failed' | 'cancelled'

async function copyInTurn(
  slot: ShardSlot,
  atLeastOffset: number,
  peer: CopyPeer,
  parts: CopyFromParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const release = await parts.permits.take(signal)
  if (release === undefined) return 'cancelled'
  const { directory } = slot.snapshots
  const copy = copyDirectory(directory, randomUUID())
  parts.metrics.copiesRunning.inc({ direction: 'taken' })
  slot.copyingFrom = peer.address
  try {
    return await copyOnce(slot, atLeastOffset, { peer, copy }, parts, signal)
  } catch (err) {
    if (signal.aborted) return 'cancelled'
    const code = err instanceof TrueNowError ? err.code : undefined
    if (code === 'TN_OVERLOADED') return 'busy'
    const { namespace, name, slot: number } = slot.key
    const where = { namespace, table: name, slot: number, peer: peer.address }
    parts.context.log.warn({ err, ...where }, 'a copy was not taken')
    return code === 'TN_SNAPSHOT_CORRUPT' || code === 'TN_ID_RUN_UNREADABLE' ? 'refused' : 'failed'
  } finally {
    slot.copyingFrom = ''
    parts.metrics.copiesRunning.dec({ direction: 'taken' })
    removeCopy(copy)
    release()
  }
}

async function copyOnce(
  slot: ShardSlot,
  atLeastOffset: number,
  { peer, copy }: Readonly<{ peer: CopyPeer; copy: string }>,
  parts: CopyFromParts,
  signal: AbortSignal,
): Promise<Outcome> {
  const { namespace, name, uid, slot: number } = slot.key
  const { identity, directory } = slot.snapshots
  const request = {
    table: { namespace, name },
    tableUid: uid,
    catalogId: identity.catalogId,
    slot: number,
    epoch: BigInt(peer.epoch),
    incarnation: BigInt(peer.incarnation),
    atLeastOffset: BigInt(atLeastOffset),
  }
  const startedMs = parts.context.clock.monotonicMs()
  const stream = parts.connect(peer.address).copySlot(request, { signal })
  const isWhole = await takeCopy(stream, copy, identity, parts.metrics)
  if (signal.aborted) return 'cancelled'
  if (!isWhole) return 'empty'
  const stands = await slot.goOnFrom(() => placeCopy(copy, directory), parts.refuse, signal)
  if (signal.aborted) return 'cancelled'
  if (!stands) return 'refused'
  const ms = Math.round(parts.context.clock.monotonicMs() - startedMs)
  const { offset } = slot.replica.cursor
  const where = { namespace, table: name, slot: number, peer: peer.address, offset, ms }
  parts.context.log.info(where, 'a slot stands on a copy of a peer’s')
  return 'taken'
}
