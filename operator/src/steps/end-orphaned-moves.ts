import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'

/**
 * A Rebalance that was deleted has nobody left to drive its moves. What does not serve yet is undone, and the rest is
 * finished here, a step a pass. Whether one is gone is read from the same cache that new objects come by, so a plan is
 * only known to us after its Rebalance.
 */
export function endOrphanedMoves(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  const { operands, rebalances, leaderEpochs, log } = context
  return {
    name: 'end-orphaned-moves',
    condition: 'Synced',
    run: async ({ metadata }, { placement, paused }) => {
      const known = new Set(rebalances.all().map((one) => one.metadata.uid))
      const orphaned = (placement?.openPlans ?? []).filter((planId) => !known.has(planId.split('/')[0] ?? ''))
      const [planId] = orphaned
      if (paused === true || planId === undefined) return { kind: 'done' }
      const controlPlane = operands.controlPlane(metadata)
      try {
        await leaderEpochs.under(metadata, async (leaderEpoch) => {
          await controlPlane.cancelMoves({ leaderEpoch, planId })
          await controlPlane.advanceMoves({ leaderEpoch, planId, concurrentMoves: 0 })
        })
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        log.warn(
          { cluster: metadata.name, planId, err: error },
          'moves without a Rebalance could not be ended yet',
        )
      }
      return { kind: 'done' }
    },
  }
}
