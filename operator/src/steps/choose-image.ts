import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { Workload } from '../workloads.ts'

/** spec.image; unset, what the live shards run; at creation the operator's own. So a new operator restarts nothing. */
export function chooseImage({ child, image }: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'choose-image',
    condition: 'Synced',
    run: async ({ metadata, spec }) => {
      const { name, namespace } = metadata
      const live = child<Workload>('StatefulSet', { namespace, name: `${name}-hot-tier` })
      const running = live?.spec.template.spec.containers[0]?.image
      return { kind: 'done', facts: { image: spec.image ?? running ?? image } }
    },
  }
}
