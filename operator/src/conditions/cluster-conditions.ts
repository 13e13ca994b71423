import type { ClusterFacts } from '../cluster-facts.ts'
import type { Outcome } from '../step.ts'
import type { RoleState, Workload } from '../workloads.ts'
import { clusterAvailable } from './cluster-available.ts'
import { clusterReady } from './cluster-ready.ts'
import { clusterSynced } from './cluster-synced.ts'
import type { Judgement } from './judgement.ts'
import { kafkaReachable } from './kafka-reachable.ts'
import { stoppedCondition } from './stopped-condition.ts'
import { upgradeBlocked } from './upgrade-blocked.ts'

/** Every condition of a TrueNowCluster, from one pass and what was seen of its workloads. Pure. */
export function clusterConditions(
  outcome: Outcome<ClusterFacts>,
  seen: Readonly<{ roles: readonly RoleState[]; shards: Workload | undefined; troubles: string }>,
): Judgement[] {
  const { placement } = outcome.facts
  const others = [
    stoppedCondition('SpecValid', outcome, { reason: 'Valid', message: 'The spec is legal.' }),
    clusterSynced(outcome, seen.roles),
    stoppedCondition('OperandReachable', outcome, {
      reason: 'Answering',
      message: 'The control plane answered in this pass.',
    }),
    kafkaReachable(placement),
    clusterAvailable(placement),
    upgradeBlocked(
      outcome,
      seen.roles.find(({ role }) => role === 'hot-tier'),
      seen.shards,
    ),
  ]
  return [clusterReady(others, { roles: seen.roles, placement, troubles: seen.troubles }), ...others]
}
