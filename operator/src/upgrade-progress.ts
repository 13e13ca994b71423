import type { TrueNowClusterStatus } from './api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { UPGRADE_ORDER } from './templates/release-templates.ts'
import type { RoleState } from './workloads.ts'

type Upgrade = NonNullable<TrueNowClusterStatus['inProgressOperations']>['upgrade']

/** `status.inProgressOperations.upgrade`: the first role, in the order of upgrades, that is on its way. Pure. */
export function upgradeProgress(
  { waiting, restart }: ClusterFacts,
  roles: readonly RoleState[],
): Upgrade | undefined {
  const rolling = UPGRADE_ORDER.flatMap((role) => roles.filter((one) => one.role === role))
  const at =
    rolling.find(({ exists, desired, updated }) => exists && updated < desired) ??
    rolling.find(({ role }) => role === waiting?.behind)
  if (at === undefined) return undefined
  const { role, updated, desired, ready } = at
  const next = waiting === undefined ? '' : ` Then ${waiting.roles.join(', ')}.`
  const message = `${updated}/${desired} pods of the newest template, ${ready}/${desired} ready.${next}`
  if (role !== 'hot-tier' || restart === undefined || restart.kind === 'none') return { role, message }
  const { pod } = restart
  if (restart.kind === 'restart')
    return { role, pod: pod.name, message: `Restarting ${pod.name}; ${message}` }
  return { role, pod: pod.name, predicate: restart.predicate, message: `${restart.message} ${message}` }
}
