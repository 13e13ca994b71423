import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { PlacedSlot } from './placed-slots.ts'
import type { RestartState, ShardPod } from './restart-state.ts'

/** Records that a replica may be behind the log's end, or behind the best of its peers, and still stand in for them. */
const LAG_RECORDS_MAX = 16

/**
 * Has the replica of a slot on `shard` caught up, so that it may stand in for the others: it serves by the catalog, has said
 * so since its process was first seen, and is at the end of the log or as far as the best of its peers. The latter, because
 * where all stand still (a full memory, Kafka away) a restart takes nothing from anybody, and may be the remedy.
 */
export function hasCaughtUp(slot: PlacedSlot, pod: ShardPod): boolean {
  const own = slot.replicas.find(({ shard }) => shard === pod.shard)
  const { said } = own ?? {}
  if (own?.state !== ReplicaState.SERVING || said === undefined || !pod.reported || said.epoch < slot.epoch)
    return false
  const cursor = said.cursor?.offset ?? -1n
  const follows = said.progressedAtUs > 0n && said.stalledReason === ''
  if (follows && said.endOffset - (cursor + 1n) <= LAG_RECORDS_MAX) return true
  const best = slot.replicas.reduce(
    (most, { said: other }) => greater(most, other?.cursor?.offset ?? -1n),
    -1n,
  )
  return said.progressedAtUs > 0n && slot.replicas.length > 1 && cursor + BigInt(LAG_RECORDS_MAX) >= best
}

const greater = (left: bigint, right: bigint): bigint => (left > right ? left : right)

/** Can the shard of this pod be asked, now and in the next seconds. */
export const isAnswering = (pod: ShardPod | undefined, { placed }: RestartState): pod is ShardPod =>
  pod?.ready === true && !pod.terminating && placed?.silentShards.includes(pod.shard) === false
