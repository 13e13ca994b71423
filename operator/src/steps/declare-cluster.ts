import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'

/** Tells the control plane what the cluster shall be, and reads where everything stands. Repeating it renews the claim. */
export function declareCluster({ operands, log }: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'declare-cluster',
    condition: 'OperandReachable',
    run: async ({ metadata, spec }, { paused }) => {
      const { uid, generation, name } = metadata
      const controlPlane = operands.controlPlane(metadata)
      const { hotTier, kafka } = spec
      try {
        if (paused !== true) {
          await controlPlane.putCluster({
            uid,
            generation: BigInt(generation),
            shards: hotTier.shards,
            replicationFactor: hotTier.replicationFactor,
            topics: {
              replicationFactor: kafka.topics?.replicationFactor ?? 3,
              minInsyncReplicas: kafka.topics?.minInsyncReplicas ?? 2,
            },
          })
        }
        return { kind: 'done', facts: { placement: await controlPlane.getPlacement({}) } }
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        log.debug({ cluster: name, code: error.code, reason: error.message }, 'control plane refused or away')
        const { message, details } = error
        if (error.code !== 'TN_TABLE_CONFLICT')
          return { kind: 'wait', seconds: 1, reason: 'ControlPlaneUnavailable', message }
        // It did answer: what the spec claims is not to be had.
        const reason = typeof details.reason === 'string' ? details.reason : 'NameTaken'
        return { kind: 'wait', seconds: 1, condition: 'SpecValid', reason, message }
      }
    },
  }
}
