import type { SlotState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { PlacedSlot } from '@truenow/kernels/sharding/move-protocol.ts'
import { volumeNeed } from '@truenow/kernels/sharding/volume-need.ts'
import { claimsCaughtUp } from './caught-up.ts'
import type { MoveRow } from './move-rows.ts'
import { type ShardSaying, slotStateOf } from './shard-sayings.ts'
import { isSilent, SHARD_SILENT_MS } from './silent-shards.ts'

/*
 * What a move waits for beyond safety, which move-protocol.ts guards: that the moment is a good one. Each answers undefined
 * when it is, else why not, in words for people.
 */

/** To begin: repair comes first, and the receiver must be there and have room. */
export function whyNotStarted(
  move: MoveRow,
  { replicas }: PlacedSlot,
  to: ShardSaying | undefined,
  nowUs: number,
): string | undefined {
  const repairing = replicas.filter(({ shard, state }) => shard !== move.from && state !== 'serving')
  if (repairing.length > 0)
    return `shard ${repairing[0]?.shard} is still catching up with this slot; repair comes before moves`
  const silent = whySilent(move.to, to, nowUs)
  if (silent !== undefined || to?.report === undefined) return silent
  const { memoryBytes, memoryBytesMax } = to.report
  const free = Number(memoryBytesMax) - Number(memoryBytes)
  if (Number(memoryBytesMax) > 0 && move.bytes > free)
    return `shard ${move.to} has ${free} of ${memoryBytesMax} bytes free and needs ${move.bytes}; raise memoryPerShard or add shards`
  const onVolume = volumeNeed(move.bytes, to.report)
  if (onVolume !== undefined)
    return `the volume of shard ${move.to} has ${to.report.volumeBytesFree} bytes free and needs ${onVolume}; raise storage.size or add shards`
  return undefined
}

/** To take a replica away: whoever answers instead is there right now. */
export function whyNotDropped(
  move: MoveRow,
  { replicas }: PlacedSlot,
  sayings: ReadonlyMap<number, ShardSaying>,
  nowUs: number,
): string | undefined {
  for (const { shard, state } of replicas) {
    if (shard === move.from || state !== 'serving') continue
    const silent = whySilent(shard, sayings.get(shard), nowUs)
    if (silent !== undefined) return `${silent}, and would be one of those that answer`
  }
  return undefined
}

/** To change over: the new holder is there right now, near the log's end, and agrees with a serving one. */
export function whyNotCommitted(
  move: MoveRow,
  { replicas }: PlacedSlot,
  sayings: ReadonlyMap<number, ShardSaying>,
  nowUs: number,
): string | undefined {
  const to = sayings.get(move.to)
  const silent = whySilent(move.to, to, nowUs)
  if (silent !== undefined) return silent
  const state = slotStateOf(to?.report, move)
  if (state === undefined) return `shard ${move.to} does not list the slot`
  const near = claimsCaughtUp({
    cursorOffset: Number(state.cursor?.offset ?? -1n),
    reportedEndOffset: Number(state.endOffset),
    progressedAtUs: Number(state.progressedAtUs),
    stalledReason: state.stalledReason,
  })
  if (!near)
    return `shard ${move.to} has fallen behind the log again${state.stalledReason && `: ${state.stalledReason}`}`
  for (const replica of replicas) {
    if (replica.state !== 'serving') continue
    const other = slotStateOf(sayings.get(replica.shard)?.report, move)
    if (other !== undefined && disagree(state, other))
      return `shards ${move.to} and ${replica.shard} hold different rows at offset ${state.hashOffset}; cancel the move and report it`
  }
  return undefined
}

function whySilent(shard: number, saying: ShardSaying | undefined, nowUs: number): string | undefined {
  if (saying === undefined) return `shard ${shard} has never registered`
  if (!isSilent(saying.reportedAtUs, nowUs)) return undefined
  return `shard ${shard} has not reported for ${SHARD_SILENT_MS / 1_000} s`
}

/** Comparable at equal offset and origin only; what cannot be compared does not disagree. */
function disagree(left: SlotState, right: SlotState): boolean {
  const comparable =
    left.hashOffset === right.hashOffset && left.originOffset === right.originOffset && left.stateHash !== ''
  return comparable && right.stateHash !== '' && left.stateHash !== right.stateHash
}
