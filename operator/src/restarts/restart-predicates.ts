import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { PlacedSlot } from './placed-slots.ts'
import { hasCaughtUp, isAnswering } from './replica-standing.ts'
import type { RestartState, ShardPod } from './restart-state.ts'

/** Undefined: the candidate may be restarted as far as this predicate knows. Otherwise why not, for status, log and Event. */
export type Refuses = (candidate: ShardPod, state: RestartState) => string | undefined

/** Shards of one cluster that may be away at once because of a restart. */
const UNAVAILABLE_MAX = 1
/** Slots that a message names. */
const NAMED_MAX = 3

/**
 * Everything that must hold before the pod of a shard is deleted, in the order in which it is looked at and told. Health is
 * that of the application: a pod may be ready while its shard is still reading the log. All pure.
 */
export const RESTART_PREDICATES = {
  skip_terminating_pod: ({ name, terminating }) =>
    terminating ? `Pod ${name} is on its way out already.` : undefined,

  /** An unready pod takes nothing away that is not away already. */
  max_unavailable_reached: (candidate, state) => {
    if (!candidate.ready) return undefined
    const away = unavailable(state)
    return away.length < UNAVAILABLE_MAX
      ? undefined
      : `Not ready: ${away.join(', ')}; one shard is away at once.`
  },

  one_zone_at_a_time: ({ domain, name }, { pods }) => {
    const other = pods.find((pod) => pod.name !== name && !isUp(pod) && pod.domain !== domain)
    return (
      other && `Pod ${other.name} is away in another zone or on another node (${other.domain || 'none yet'}).`
    )
  },

  control_plane_answers: (_, { placed }) =>
    placed === undefined ? 'The control plane has not told in this pass which shard serves what.' : undefined,

  no_move_touches_shard: ({ shard }, { placed }) => {
    const moving = slotsOf(shard, placed).filter(({ replicas }) =>
      replicas.some(({ state }) => state !== ReplicaState.SERVING),
    )
    return moving.length === 0 ? undefined : `A replica joins or leaves: ${named(moving)}.`
  },

  restarted_shards_caught_up: (candidate, { pods, placed }) => {
    for (const pod of pods) {
      if (pod.outdated || pod.name === candidate.name) continue
      const behind = slotsOf(pod.shard, placed).filter((slot) => !hasCaughtUp(slot, pod))
      if (behind.length > 0) return `Pod ${pod.name} has not caught up: ${named(behind)}.`
    }
    return undefined
  },

  every_slot_has_other_serving_replica: (candidate, state) => {
    const { shard, name } = candidate
    const pods = new Map(state.pods.map((pod) => [pod.shard, pod]))
    const alone = slotsOf(shard, state.placed).filter(
      (slot) =>
        !slot.replicas.some((replica) => {
          const pod = pods.get(replica.shard)
          return replica.shard !== shard && isAnswering(pod, state) && hasCaughtUp(slot, pod)
        }),
    )
    if (alone.length === 0) return undefined
    if (state.placed?.replicationFactor !== 1)
      return `Nobody else could answer for ${named(alone)} while ${name} restarts.`
    return `replicationFactor is 1, so nobody else could answer for ${named(alone)}. Move the slots of shard ${shard} away with a Rebalance, or accept that they do not answer for a while: kubectl delete pod ${name}.`
  },
} as const satisfies Readonly<Record<string, Refuses>>
export type RestartPredicate = keyof typeof RESTART_PREDICATES

export const isUp = ({ ready, terminating }: ShardPod): boolean => ready && !terminating

function unavailable({ shards, pods }: RestartState): string[] {
  const down = pods.filter((pod) => !isUp(pod)).map(({ name }) => name)
  const missing = shards - pods.length
  return missing > 0 ? [...down, `${missing} pods that are not there`] : down
}

const slotsOf = (shard: number, placed: RestartState['placed']): readonly PlacedSlot[] =>
  placed?.slotsOf(shard) ?? []

function named(slots: readonly PlacedSlot[]): string {
  const names = slots.slice(0, NAMED_MAX).map(({ name }) => name)
  const more = slots.length - names.length
  return `${names.join(', ')}${more > 0 ? ` and ${more} more slots` : ''}`
}
