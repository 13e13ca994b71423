import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { RebalancerPlacementRequest } from '@truenow/contracts/gen/truenow/v1/rebalancer_pb.ts'
import type { OperatorContext } from './operator-context.ts'

/** The rebalancer API, read-only in this version: where every slot stands and what each shard carries. */
export function createRebalancerService({
  clusters,
  operands,
}: Pick<OperatorContext, 'clusters' | 'operands'>) {
  return {
    getPlacement: async ({ kubernetesNamespace, cluster }: RebalancerPlacementRequest) => {
      const key = { namespace: kubernetesNamespace, name: cluster }
      if (clusters.get(key) === undefined) {
        const message = `There is no TrueNowCluster ${cluster} in Kubernetes namespace ${kubernetesNamespace} that this operator watches; see kubectl get truenowclusters -A.`
        throw new TrueNowError('TN_REQUEST_INVALID', message, { details: { path: 'cluster' } })
      }
      return { placement: await operands.controlPlane(key).getPlacement({}) }
    },
  }
}
