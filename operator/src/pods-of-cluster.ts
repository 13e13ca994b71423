import { CLUSTER_LABEL } from './api/names.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import type { OperatorContext } from './operator-context.ts'
import type { Pod } from './workloads.ts'

/** The pods of this cluster, as last seen. */
export const podsOfCluster = (
  { childrenOfKind }: Pick<OperatorContext, 'childrenOfKind'>,
  { namespace, name }: ObjectKey,
): Pod[] =>
  childrenOfKind<Pod>('Pod').filter(
    ({ metadata }) => metadata.namespace === namespace && metadata.labels?.[CLUSTER_LABEL] === name,
  )
