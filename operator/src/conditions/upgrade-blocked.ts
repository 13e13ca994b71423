import type { ClusterFacts } from '../cluster-facts.ts'
import type { Outcome } from '../step.ts'
import type { RoleState, Workload } from '../workloads.ts'
import type { Judgement } from './judgement.ts'

/**
 * Does something stand in the way of a restart that is due. While an earlier restart is being finished nothing does. A change
 * of templates that only a new operator would make is not due: it waits for the user, and is told here. Pure.
 */
export function upgradeBlocked(
  outcome: Outcome<ClusterFacts>,
  shards: RoleState | undefined,
  workload: Workload | undefined,
): Judgement {
  const type = 'UpgradeBlocked'
  const is = (status: 'True' | 'False', reason: string, message: string): Judgement => ({
    type,
    status,
    reason,
    message,
  })
  const { restart, paused, pendingRoles = [] } = outcome.facts
  if (outdatedShards(shards, workload) === 0) {
    if (pendingRoles.length === 0) return is('False', 'NothingWaits', 'Every shard runs the newest template.')
    const message = `This operator would make the pods of ${pendingRoles.join(', ')} otherwise than they are. They stay until the spec changes in what they are made of, or spec.upgradePolicy is Always.`
    return is('True', 'TemplateChangePending', message)
  }
  if (paused === true)
    return is('True', 'Paused', 'spec.paused is true: no restart begins until it is false.')
  if (restart?.kind === 'wait') {
    const { pod, predicate, message, settling } = restart
    const why = `${pod.name} waits: ${message}`
    if (settling) return is('False', 'RestartInProgress', why)
    const single =
      predicate === 'every_slot_has_other_serving_replica' && message.startsWith('replicationFactor is 1')
    return is('True', single ? 'SingleReplica' : predicate, why)
  }
  if (restart?.kind === 'restart')
    return is(
      'False',
      'RestartInProgress',
      `${restart.pod.name} was just deleted and comes back with the newest template.`,
    )
  const { stopped } = outcome
  if (stopped?.condition === 'OperandReachable') return is('True', 'control_plane_answers', stopped.message)
  if (stopped !== undefined)
    return is('True', 'NotReached', `${stopped.condition} comes first (${stopped.reason}).`)
  return is('False', 'RestartInProgress', 'What was just applied is not seen yet.')
}

/** As the set's newest status says; one of an older spec says nothing. */
function outdatedShards(shards: RoleState | undefined, workload: Workload | undefined): number {
  const { status } = workload ?? {}
  if (shards === undefined || status?.observedGeneration !== workload?.metadata.generation) return 0
  return Math.max(0, (status?.replicas ?? 0) - shards.updated)
}
