import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { Workload } from '../workloads.ts'

/**
 * spec.image; unset, what the live shards run, or what was last told where their set is not to be seen (deleted by hand, or
 * made by a leader of which our cache has not heard); at creation the operator's own. So a new operator restarts nothing.
 */
export function chooseImage({ child, image }: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'choose-image',
    condition: 'Synced',
    run: async ({ metadata, spec, status }) => {
      const { name, namespace } = metadata
      const live = child<Workload>('StatefulSet', { namespace, name: `${name}-hot-tier` })
      const running = live?.spec.template.spec.containers[0]?.image
      return { kind: 'done', facts: { image: spec.image ?? running ?? status?.image ?? image } }
    },
  }
}
