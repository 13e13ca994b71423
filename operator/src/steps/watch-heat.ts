import { HOT_SLOT_PERCENT_DEFAULT, type TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'

/** Looks at how hot each slot is; Tables tell of theirs, and a Rebalance moves those that a move helps. */
export function watchHeat({ heat }: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'watch-heat',
    condition: 'Synced',
    run: async ({ metadata, spec }, { placement }) => {
      const hotPercent = spec.rebalance?.hotSlotPercent ?? HOT_SLOT_PERCENT_DEFAULT
      if (placement !== undefined) heat.look(metadata.uid, placement, hotPercent)
      return { kind: 'done' }
    },
  }
}
