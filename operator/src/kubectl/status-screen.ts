import type { TrueNowCluster, TrueNowClusterStatus } from '../api/v1alpha1/truenow-cluster.ts'
import { ofCluster, type SeenObjects, type SeenPod } from './seen-objects.ts'

const ROLE_LABEL = 'app.kubernetes.io/component'

/** One screen a cluster: how it is, why it is not Ready, its roles and its tables. Pure. */
export function statusScreen(seen: SeenObjects): string {
  if (seen.clusters.length === 0)
    return 'No TrueNowCluster here; -n names another namespace, -A looks at all.'
  return seen.clusters.map((cluster) => screenOf(seen, cluster)).join('\n\n')
}

function screenOf(seen: SeenObjects, cluster: TrueNowCluster): string {
  const { metadata, status = {}, spec } = cluster
  const { tables, pods } = ofCluster(seen, cluster)
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  const facts = [
    ['phase', status.phase ?? 'unknown: no operator has taken it'],
    ['pods', status.ready ?? '?'],
    ['shards', `${status.shards ?? '?'}, ${spec.hotTier.replicationFactor} replicas a slot`],
    ['freshness', status.freshness ?? '?'],
    ['image', status.image ?? '?'],
    ['operator', status.operator ?? 'none'],
    ...(ready === undefined || ready.status === 'True'
      ? []
      : [['not Ready', `${ready.reason}: ${ready.message}`]]),
  ]
  const roles = [...Map.groupBy(pods, ({ metadata: of }) => of.labels?.[ROLE_LABEL] ?? '?')]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([role, all]) => [role, `${all.filter(isReady).length}/${all.length}`, String(restartsOf(all))])
  const shown = tables.map(({ metadata: { name }, status: of }) => [
    name,
    of?.slotsReady ?? '?',
    of?.freshness ?? '?',
    of?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? '?',
  ])
  const operations = operationsOf(status)
  return [
    `TrueNowCluster ${metadata.namespace}/${metadata.name}`,
    columns(facts),
    ...(operations.length === 0
      ? []
      : [columns([['OPERATION', 'ON', 'WAITS FOR', 'MESSAGE'], ...operations])]),
    columns([['ROLE', 'READY', 'RESTARTS'], ...roles]),
    columns([['TABLE', 'SLOTS', 'FRESHNESS', 'READY'], ...shown]),
  ].join('\n\n')
}

/** What the operator is in the midst of, one line a pod, as status tells. */
function operationsOf({ inProgressOperations = {} }: TrueNowClusterStatus): string[][] {
  const { upgrade, downscale = [], drain = [] } = inProgressOperations
  const line = (operation: string, on: string, predicate: string, message: string) => [operation, on, predicate, message] // biome-ignore format: one line
  return [
    ...(upgrade === undefined ? [] : [line('upgrade', upgrade.pod ?? upgrade.role, upgrade.predicate ?? '-', upgrade.message)]), // biome-ignore format: one line
    ...downscale.map(({ pod, predicate, message }) => line('downscale', pod, predicate, message)),
    ...drain.map(({ pod, predicate, message }) => line('drain', pod, predicate, message)),
  ]
}

const isReady = ({ status }: SeenPod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
const restartsOf = (pods: readonly SeenPod[]): number =>
  pods
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .reduce((sum, { restartCount = 0 }) => sum + restartCount, 0)

/** Rows in columns as wide as their widest cell; the last one is as long as it is. */
function columns(rows: ReadonlyArray<readonly string[]>): string {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)))
  return rows
    .map((row) => `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('   ')}`.trimEnd())
    .join('\n')
}
