import type { IngesterView, ReplicaView } from './observations.ts'

export type Health = 'ACTIVE' | 'IDLE' | 'LAGGING' | 'STALLED' | 'UNKNOWN'
export type ReplicaJudgement = Readonly<{ shard: number; health: Health; culprit: string }>
/** How long is too long, in ms. */
export type Patience = Readonly<{
  /** A peer that has not answered for this long is unknown. */
  unknownMs: number
  /** Behind for longer than this is a lag, not a block on its way. */
  laggingMs: number
  /** No progress for this long while there should be some is a stall. */
  stalledMs: number
  /** Rows within this time make a slot active. */
  activeMs: number
}>

/**
 * Tells a quiet replica from a stuck one, and names who is to blame. Quiet: its stream says so (heartbeats come, the
 * cursor is at the end). Stuck: the stream says nothing, or the cursor stands while the log goes on.
 */
export function judgeReplica(
  replica: ReplicaView,
  ingesters: readonly IngesterView[],
  patience: Patience,
): ReplicaJudgement {
  const { shard, state, silentMs, cursorStillMs, streamSilentMs, behindMs, moved } = replica
  const verdict = (health: Health, culprit: string): ReplicaJudgement => ({ shard, health, culprit })
  const cursor = state.cursor?.offset ?? -1n
  if (silentMs > patience.unknownMs) {
    return verdict('UNKNOWN', `shard ${shard} has not answered for ${seconds(silentMs)}`)
  }
  if (state.stalledReason !== '') return verdict('STALLED', `shard ${shard}: ${state.stalledReason}`)
  if (streamSilentMs > patience.stalledMs) {
    return verdict('STALLED', whoIsSilent(shard, streamSilentMs, ingesters, patience))
  }
  const endOffset = ingesters.reduce(
    (end, told) => (told.endOffset !== undefined && told.endOffset > end ? told.endOffset : end),
    state.endOffset,
  )
  if (behindMs > patience.laggingMs) {
    const where = `at offset ${cursor} of ${endOffset - 1n}`
    if (cursorStillMs <= patience.stalledMs) return verdict('LAGGING', `shard ${shard} is ${where}`)
    return verdict('STALLED', `shard ${shard} has stood ${where} for ${seconds(cursorStillMs)}`)
  }
  return verdict(moved && cursorStillMs <= patience.activeMs ? 'ACTIVE' : 'IDLE', '')
}

/** The stream brings not even heartbeats. From the far end: is Kafka read, is an ingester there, or is it the stream? */
function whoIsSilent(
  shard: number,
  streamSilentMs: number,
  ingesters: readonly IngesterView[],
  { unknownMs, stalledMs }: Patience,
): string {
  const answering = ingesters.filter(({ silentMs }) => silentMs <= unknownMs)
  if (answering.length === 0) return `no ingester answers; shard ${shard} hears nothing`
  const readers = answering.filter(({ endOffset }) => endOffset !== undefined)
  const stuck = readers.find(({ fetchSilentMs }) => fetchSilentMs > stalledMs)
  if (stuck !== undefined && readers.every(({ fetchSilentMs }) => fetchSilentMs > stalledMs)) {
    return `ingester ${stuck.address}: no fetch from Kafka has answered for ${seconds(stuck.fetchSilentMs)}`
  }
  return `shard ${shard} has heard nothing from its ingester for ${seconds(streamSilentMs)}`
}

const seconds = (ms: number) => (Number.isFinite(ms) ? `${Math.round(ms / 1_000)} s` : 'as long as is known')
