import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { clusterProblems } from '../cluster-problems.ts'
import type { Step } from '../step.ts'

/** Judges the spec inside the loop too: the CRD's rules may be absent, and a bad spec must be said, not acted on. */
export const checkClusterSpec: Step<TrueNowCluster, ClusterFacts> = {
  name: 'check-cluster-spec',
  condition: 'SpecValid',
  run: async ({ spec }) => {
    const problems = clusterProblems(spec)
    if (problems.length > 0)
      return { kind: 'invalid', reason: 'InvalidSpec', message: `${problems.join('; ')}.` }
    return spec.paused === true ? { kind: 'done', facts: { paused: true } } : { kind: 'done' }
  },
}
