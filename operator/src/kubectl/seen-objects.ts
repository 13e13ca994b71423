import { CLUSTER_LABEL } from '../api/names.ts'
import type { Table } from '../api/v1alpha1/table.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { KubernetesPort, Stored } from '../kubernetes/kubernetes-port.ts'
import { listAll } from '../kubernetes/list-all.ts'
import { CLUSTERS, PODS, TABLES } from '../kubernetes/resources.ts'

type State = Readonly<{ reason?: string; message?: string; exitCode?: number }>
/** What a person's view needs of a pod. */
export type SeenPod = Stored &
  Readonly<{
    status?: Readonly<{
      conditions?: ReadonlyArray<Readonly<{ type: string; status: string; message?: string }>>
      containerStatuses?: ReadonlyArray<
        Readonly<{
          ready?: boolean
          restartCount?: number
          state?: Readonly<{ waiting?: State; terminated?: State }>
          lastState?: Readonly<{ terminated?: State }>
        }>
      >
    }>
  }>
export type SeenObjects = Readonly<{
  clusters: readonly TrueNowCluster[]
  tables: readonly Table[]
  pods: readonly SeenPod[]
}>

/** Everything of TrueNow in one namespace, or in all where that is undefined. Needs `list` on the three. Errors: KubernetesError. */
export async function seenObjects(port: KubernetesPort, namespace: string | undefined): Promise<SeenObjects> {
  const at = namespace === undefined ? {} : { namespace }
  const [clusters, tables, pods] = await Promise.all([
    listAll<TrueNowCluster>(port, CLUSTERS, at),
    listAll<Table>(port, TABLES, at),
    listAll<SeenPod>(port, PODS, { ...at, labelSelector: CLUSTER_LABEL }),
  ])
  return { clusters: clusters.objects, tables: tables.objects, pods: pods.objects }
}

/** What belongs to one cluster. */
export const ofCluster = ({ tables, pods }: SeenObjects, { metadata }: TrueNowCluster) => ({
  tables: tables.filter(
    (one) => one.metadata.namespace === metadata.namespace && one.spec.clusterRef.name === metadata.name,
  ),
  pods: pods.filter(
    (one) =>
      one.metadata.namespace === metadata.namespace && one.metadata.labels?.[CLUSTER_LABEL] === metadata.name,
  ),
})
