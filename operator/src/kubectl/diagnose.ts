import type { Condition } from '../api/condition.ts'
import { FINALIZER } from '../api/names.ts'
import type { Table } from '../api/v1alpha1/table.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { isTrouble } from '../conditions/is-trouble.ts'
import { ofCluster, type SeenObjects, type SeenPod } from './seen-objects.ts'

/** Something that is not as it should be, and the command that tells more or mends it. */
export type Finding = Readonly<{ about: string; what: string; next: string }>

const RESTARTS_MAX = 3
/** After this long an operator has seen any change, and let go of anything. */
const PATIENCE_SECONDS = 120
const BEHIND = ['Stale', 'Unknown']

/** Finds what is wrong, worst first: what cannot be, what does not run, what is behind. `nowMs` is since 1970. Pure. */
export function diagnose(seen: SeenObjects, nowMs: number): Finding[] {
  const homeless = seen.tables.filter(
    ({ metadata, spec }) =>
      !seen.clusters.some(
        (cluster) =>
          cluster.metadata.namespace === metadata.namespace && cluster.metadata.name === spec.clusterRef.name,
      ),
  )
  return [
    ...seen.clusters.flatMap((cluster) => {
      const { tables, pods } = ofCluster(seen, cluster)
      return [
        ...clusterFindings(cluster, nowMs),
        ...pods.flatMap(podFindings),
        ...tables.flatMap((table) => tableFindings(table, nowMs)),
      ]
    }),
    ...homeless.map(({ metadata, spec }) => ({
      about: `table ${metadata.namespace}/${metadata.name}`,
      what: `its cluster '${spec.clusterRef.name}' is not there`,
      next: `kubectl -n ${metadata.namespace} get tnc`,
    })),
  ]
}

function clusterFindings(cluster: TrueNowCluster, nowMs: number): Finding[] {
  const { metadata, status } = cluster
  const { namespace, name } = metadata
  const about = `cluster ${namespace}/${name}`
  const describe = `kubectl -n ${namespace} describe tnc ${name}`
  if (status?.operator === undefined) {
    const next = 'kubectl get pods -A -l app.kubernetes.io/component=operator'
    return isOld(metadata.creationTimestamp, nowMs)
      ? [{ about, what: 'no operator has taken it; is one installed that watches this namespace?', next }]
      : []
  }
  return [
    ...ending(about, cluster, nowMs),
    ...conditionFindings(about, cluster, describe),
    ...(BEHIND.includes(status.freshness ?? '')
      ? [
          {
            about,
            what: `its freshness is ${status.freshness}`,
            next: `kubectl -n ${namespace} port-forward service/${name}-watermark 8084, then curl -s localhost:8084/health`,
          },
        ]
      : []),
  ]
}

function tableFindings(table: Table, nowMs: number): Finding[] {
  const { namespace, name } = table.metadata
  const about = `table ${namespace}/${name}`
  return [
    ...ending(about, table, nowMs),
    ...conditionFindings(about, table, `kubectl -n ${namespace} describe tnt ${name}`),
  ]
}

type Judged = TrueNowCluster | Table
/** Ready often repeats another one, which then says it alone. */
function conditionFindings(about: string, { metadata, status }: Judged, next: string): Finding[] {
  const conditions: readonly Condition[] = status?.conditions ?? []
  const bad = conditions.filter(isTrouble)
  const others = bad.filter(({ type }) => type !== 'Ready')
  const shown = bad.filter(
    ({ type, message }) => type !== 'Ready' || others.every((other) => other.message !== message),
  )
  const old = (status?.observedGeneration ?? 0) < metadata.generation
  return [
    ...(old
      ? [{ about, what: 'its status is older than its spec: the operator has not come to it', next }]
      : []),
    ...shown.map(({ type, status: is, reason, message }) => ({
      about,
      what: `${type} is ${is} (${reason}): ${message}`,
      next,
    })),
  ]
}

function ending(about: string, { metadata }: Judged, nowMs: number): Finding[] {
  const { namespace, name, deletionTimestamp, finalizers = [] } = metadata
  if (deletionTimestamp === undefined || !isOld(deletionTimestamp, nowMs)) return []
  const held = finalizers.includes(FINALIZER) ? `held by ${FINALIZER}` : `held by ${finalizers.join(', ')}`
  return [
    {
      about,
      what: `was deleted at ${deletionTimestamp} and is still ${held}`,
      next: `kubectl -n ${namespace} get events --field-selector regarding.name=${name}`,
    },
  ]
}

function podFindings({ metadata, status }: SeenPod): Finding[] {
  const { namespace, name } = metadata
  const about = `pod ${namespace}/${name}`
  const describe = `kubectl -n ${namespace} describe pod ${name}`
  const unscheduled = status?.conditions?.find((one) => one.type === 'PodScheduled' && one.status === 'False')
  const containers = status?.containerStatuses ?? []
  const waiting = containers.map(({ state }) => state?.waiting).find((one) => one?.reason !== undefined)
  const restarted = containers.find(({ restartCount = 0 }) => restartCount >= RESTARTS_MAX)
  const starting = ['ContainerCreating', 'PodInitializing'].includes(waiting?.reason ?? '')
  return [
    ...(unscheduled === undefined
      ? []
      : [{ about, what: `no node takes it: ${unscheduled.message ?? ''}`, next: describe }]),
    ...(waiting === undefined || starting
      ? []
      : [{ about, what: `${waiting.reason}: ${waiting.message ?? ''}`, next: describe }]),
    ...(restarted === undefined
      ? []
      : [
          {
            about,
            what: `restarted ${restarted.restartCount} times, last ${restarted.lastState?.terminated?.reason ?? 'for a reason that is not told'}`,
            next: `kubectl -n ${namespace} logs ${name} --previous | tail -50`,
          },
        ]),
  ]
}

const isOld = (timestamp: string | undefined, nowMs: number): boolean =>
  timestamp !== undefined && nowMs - Date.parse(timestamp) > PATIENCE_SECONDS * 1_000
