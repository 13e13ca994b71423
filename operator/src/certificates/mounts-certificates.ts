import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from '../operator-context.ts'
import { CERTIFICATES_VOLUME } from '../resources/role-pod.ts'
import { POD_ROLES } from '../resources/services.ts'
import type { Workload } from '../workloads.ts'

/** Does any workload of the cluster, as last seen, give its pods certificates. */
export const mountsCertificates = (context: OperatorContext, cluster: TrueNowCluster): boolean =>
  workloadsOf(context, cluster).some(({ spec }) =>
    (spec.template.spec.volumes ?? []).some(({ name }) => name === CERTIFICATES_VOLUME),
  )

export const hasWorkloads = (context: OperatorContext, cluster: TrueNowCluster): boolean =>
  workloadsOf(context, cluster).length > 0

function workloadsOf({ child }: OperatorContext, { metadata }: TrueNowCluster): Workload[] {
  const { namespace, name } = metadata
  return POD_ROLES.flatMap((role) => {
    const kind = role === 'hot-tier' ? 'StatefulSet' : 'Deployment'
    return child<Workload>(kind, { namespace, name: `${name}-${role}` }) ?? []
  })
}
