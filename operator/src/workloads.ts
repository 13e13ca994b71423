import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { ObjectKey, Stored } from './kubernetes/kubernetes-port.ts'
import { POD_ROLES } from './resources/services.ts'

/** What we read of a StatefulSet or Deployment. */
export type Workload = Stored &
  Readonly<{
    spec: Readonly<{
      replicas?: number
      volumeClaimTemplates?: ReadonlyArray<
        Readonly<{ spec: Readonly<{ resources: Readonly<{ requests: Readonly<{ storage: string }> }> }> }>
      >
      template: Readonly<{
        spec: Readonly<{
          containers: ReadonlyArray<Readonly<{ image: string }>>
          volumes?: ReadonlyArray<Readonly<{ name: string }>>
        }>
      }>
    }>
    status?: Readonly<{
      observedGeneration?: number
      replicas?: number
      readyReplicas?: number
      updatedReplicas?: number
      currentRevision?: string
      updateRevision?: string
    }>
  }>
/** What we read of a Pod. */
export type Pod = Stored &
  Readonly<{
    spec?: Readonly<{ nodeName?: string }>
    status?: Readonly<{
      phase?: string
      podIP?: string
      conditions?: ReadonlyArray<Readonly<{ type: string; status: string; message?: string }>>
      containerStatuses?: ReadonlyArray<
        Readonly<{
          restartCount?: number
          state?: Readonly<{ waiting?: Readonly<{ reason?: string; message?: string }> }>
        }>
      >
    }>
  }>

export const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true

export type RoleState = Readonly<{
  role: string
  desired: number
  ready: number
  /** Pods of the newest template; those of an older one still run what was before. */
  updated: number
  exists: boolean
}>

/** How the workload of each role stands. A status of an older spec counts as nothing ready. Pure. */
export function observeWorkloads(
  cluster: TrueNowCluster,
  read: (kind: 'StatefulSet' | 'Deployment', key: ObjectKey) => Workload | undefined,
): RoleState[] {
  const { name, namespace } = cluster.metadata
  return POD_ROLES.map((role) => {
    const kind = role === 'hot-tier' ? 'StatefulSet' : 'Deployment'
    const found = read(kind, { namespace, name: `${name}-${role}` })
    const status = found?.status
    const fresh = found !== undefined && status?.observedGeneration === found.metadata.generation
    return {
      role,
      desired: found?.spec.replicas ?? 1,
      ready: fresh ? (status?.readyReplicas ?? 0) : 0,
      updated: fresh ? (status?.updatedReplicas ?? 0) : 0,
      exists: found !== undefined,
    }
  })
}

/** Why pods are not ready, one short clause for each reason, at most three; empty when nothing is known. Pure. */
export function podTroubles(pods: readonly Pod[]): string {
  const troubles = new Map<string, string>()
  for (const { metadata, status } of pods) {
    const waiting = status?.containerStatuses?.map(({ state }) => state?.waiting).find((one) => one?.reason)
    const unscheduled = status?.conditions?.find(
      (one) => one.type === 'PodScheduled' && one.status === 'False',
    )
    const reason = waiting?.reason ?? (unscheduled === undefined ? undefined : 'Unschedulable')
    if (reason === undefined || reason === 'ContainerCreating' || reason === 'PodInitializing') continue
    const text = (waiting?.message ?? unscheduled?.message ?? '').slice(0, 200)
    if (!troubles.has(reason))
      troubles.set(reason, `pod ${metadata.name}: ${reason}${text === '' ? '' : ` (${text})`}`)
  }
  return [...troubles.values()].slice(0, 3).join('; ')
}
