import { hasCaughtUp } from './replica-standing.ts'
import { isUp, RESTART_PREDICATES, type RestartPredicate } from './restart-predicates.ts'
import type { RestartState, ShardPod } from './restart-state.ts'

export type RestartChoice =
  | Readonly<{ kind: 'none' }>
  | Readonly<{ kind: 'restart'; pod: ShardPod }>
  | Readonly<{
      kind: 'wait'
      pod: ShardPod
      predicate: RestartPredicate
      message: string
      /** An earlier restart is still being finished, so that waiting is how it should be. */
      settling: boolean
    }>

/** What the end of an earlier restart takes away by itself. */
const ENDS_BY_ITSELF: readonly RestartPredicate[] = [
  'skip_terminating_pod',
  'max_unavailable_reached',
  'one_zone_at_a_time',
  'restarted_shards_caught_up',
]

/**
 * Which outdated pod is deleted next: unready ones first, since that costs nothing, then from the highest ordinal down; the
 * first that every predicate lets go. None: the first candidate's reason is told. Pure; cost: O(outdated × slots).
 */
export function chooseRestart(state: RestartState): RestartChoice {
  const candidates = state.pods
    .filter(({ outdated }) => outdated)
    .toSorted((left, right) => Number(left.ready) - Number(right.ready) || right.shard - left.shard)
  let first: Omit<Extract<RestartChoice, { kind: 'wait' }>, 'settling'> | undefined
  for (const pod of candidates) {
    const refused = firstRefusal(pod, state)
    if (refused === undefined) return { kind: 'restart', pod }
    first ??= { kind: 'wait', pod, ...refused }
  }
  if (first === undefined) return { kind: 'none' }
  return { ...first, settling: ENDS_BY_ITSELF.includes(first.predicate) && isSettling(state) }
}

function firstRefusal(pod: ShardPod, state: RestartState) {
  for (const [name, refuses] of Object.entries(RESTART_PREDICATES)) {
    const message = refuses(pod, state)
    if (message !== undefined) return { predicate: name as RestartPredicate, message }
  }
  return undefined
}

/** Pods go, come, or read up what they missed; none of the newest template is broken. */
function isSettling({ pods, shards, placed }: RestartState): boolean {
  if (pods.some(({ outdated, broken }) => !outdated && broken)) return false
  const reading = (pod: ShardPod) => placed?.slotsOf(pod.shard).some((slot) => !hasCaughtUp(slot, pod))
  return (
    pods.length < shards ||
    pods.some((pod) => pod.terminating || (!pod.outdated && (!isUp(pod) || reading(pod))))
  )
}

/**
 * A pod to delete without asking anything: it runs a template that is not the newest, and every pod of that template is
 * broken. So a bad revision is mended by the next one, whatever the rest of the cluster looks like. Pure.
 */
export function chooseBroken({ pods }: RestartState): ShardPod | undefined {
  return pods.find(
    (pod) =>
      pod.outdated &&
      !pod.terminating &&
      pods.every((other) => other.revision !== pod.revision || other.broken || other.terminating),
  )
}
