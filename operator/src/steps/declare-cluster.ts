import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { clusterDeclaration } from '../cluster-declaration.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'

/**
 * Tells the control plane what the cluster shall be, and reads where everything stands. Repeating it renews the claim. Fewer
 * shards than hold replicas it does not take yet: `scale-in` looks first.
 */
export function declareCluster({
  operands,
  leaderEpochs,
  log,
}: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'declare-cluster',
    condition: 'OperandReachable',
    run: async (cluster, { paused }) => {
      const { metadata } = cluster
      const controlPlane = operands.controlPlane(metadata)
      try {
        if (paused !== true) {
          const declaration = clusterDeclaration(cluster)
          await leaderEpochs.under(metadata, (leaderEpoch) =>
            controlPlane.putCluster({ ...declaration, leaderEpoch }),
          )
        }
        return { kind: 'done', facts: { placement: await controlPlane.getPlacement({}) } }
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        log.debug(
          { cluster: metadata.name, code: error.code, reason: error.message },
          'control plane refused or away',
        )
        const { message, details } = error
        // It did answer, and obeys another for now: the operator that this cluster was adopted from, until that has been silent.
        if (error.code === 'TN_LEADER_STALE')
          return { kind: 'wait', seconds: 2, reason: 'AnotherOperatorCommands', message }
        if (error.code !== 'TN_TABLE_CONFLICT')
          return { kind: 'wait', seconds: 1, reason: 'ControlPlaneUnavailable', message }
        // It did answer: what the spec claims is not to be had.
        const reason = typeof details.reason === 'string' ? details.reason : 'NameTaken'
        return { kind: 'wait', seconds: 1, condition: 'SpecValid', reason, message }
      }
    },
  }
}
