import type { PolicySeen } from './admission-policy.ts'
import type { Condition } from './api/condition.ts'
import type { TrueNowCluster, TrueNowClusterStatus } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { clusterConditions } from './conditions/cluster-conditions.ts'
import { type Judgement, NOTHING_REASON } from './conditions/judgement.ts'
import { mergeConditions } from './conditions/merge-conditions.ts'
import { freshnessClass } from './freshness-class.ts'
import { labelSelectorOf, selectorLabels } from './resources/child-metadata.ts'
import type { Outcome } from './step.ts'
import { upgradeProgress } from './upgrade-progress.ts'
import type { RoleState, Workload } from './workloads.ts'

/** The whole status of a TrueNowCluster after a pass. `now` is RFC 3339. Pure. */
export function clusterStatus(
  cluster: TrueNowCluster,
  outcome: Outcome<ClusterFacts>,
  seen: Readonly<{ roles: readonly RoleState[]; shards: Workload | undefined; troubles: string }>,
  told: Readonly<{ operator: string; now: string; policy: PolicySeen }>,
): TrueNowClusterStatus {
  const { metadata, spec, status = {} } = cluster
  const judged = [
    ...clusterConditions(outcome, seen),
    ...asFound('Monitored', outcome.facts.monitored, status.conditions),
    ...asFound('VolumesGrown', outcome.facts.volumes, status.conditions),
    ...asFound('Secured', outcome.facts.secured, status.conditions),
    ...onceAsked('ScalingDown', outcome.facts.scalingDown, status.conditions),
    ...onceAsked('Draining', outcome.facts.draining, status.conditions),
    ...onceAsked('Rebalancing', outcome.facts.rebalancing, status.conditions),
  ]
  const ready = seen.roles.reduce((sum, role) => sum + Math.min(role.ready, role.desired), 0)
  const desired = seen.roles.reduce((sum, role) => sum + role.desired, 0)
  const readyShards = seen.roles.find(({ role }) => role === 'hot-tier')?.ready ?? 0
  const desiredShards = spec.hotTier.shards
  const image = outcome.facts.image ?? status.image
  const upgrade = upgradeProgress(outcome.facts, seen.roles)
  const { downscale, drain } = outcome.facts
  const inProgressOperations = {
    ...(upgrade === undefined ? {} : { upgrade }),
    ...(downscale === undefined ? {} : { downscale }),
    ...(drain === undefined ? {} : { drain }),
  }
  return {
    observedGeneration: metadata.generation,
    phase: phaseOf(cluster, judged),
    ready: `${ready}/${desired}`,
    shards: `${readyShards}/${desiredShards}`,
    readyShards,
    desiredShards,
    replicas: seen.shards?.status?.replicas ?? 0,
    selector: labelSelectorOf(selectorLabels(cluster, 'hot-tier')),
    freshness: freshnessClass(outcome.facts.freshnessUs),
    ...(image === undefined ? {} : { image }),
    ...(Object.keys(inProgressOperations).length === 0 ? {} : { inProgressOperations }),
    operator: told.operator,
    admissionPolicy: told.policy.state,
    ...(told.policy.unobserved.length === 0 ? {} : { unobserved: [...told.policy.unobserved] }),
    conditions: mergeConditions(status.conditions ?? [], judged, metadata.generation, told.now),
  }
}

/** A condition that is told from the first time on that there was something to say: until then False is no news. */
function onceAsked(
  type: string,
  found: Judgement | undefined,
  before: readonly Condition[] = [],
): readonly Judgement[] {
  const told = before.filter((one) => one.type === type)
  if (found === undefined) return told
  return found.status === 'True' || found.reason !== NOTHING_REASON || told.length > 0 ? [found] : []
}

/** A pass that did not come so far leaves it as it was: while it stands there is something to look after. */
function asFound(
  type: string,
  found: Judgement | 'none' | undefined,
  before: readonly Condition[] = [],
): readonly Judgement[] {
  if (found === 'none') return []
  return found === undefined ? before.filter((one) => one.type === type) : [found]
}

function phaseOf({ metadata, spec, status }: TrueNowCluster, judged: readonly Judgement[]): string {
  const statusOf = (type: string) => judged.find((one) => one.type === type)?.status
  if (metadata.deletionTimestamp !== undefined) return 'Deleting'
  if (statusOf('SpecValid') === 'False') return 'Invalid'
  if (spec.paused === true) return 'Paused'
  if (statusOf('Ready') === 'True') return 'Ready'
  // What has once been whole is degraded; what never was is still being made.
  return status?.phase === 'Ready' || status?.phase === 'Degraded' ? 'Degraded' : 'Creating'
}
