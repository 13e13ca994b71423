import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'

const TIMEOUT_MS = 2_000

/** How far the slowest table is behind. The watermark role away costs the figure, not the pass. */
export function readFreshness({ operands }: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'read-freshness',
    condition: 'Available',
    run: async ({ metadata }) => {
      try {
        const { tables } = await operands.watermark(metadata).getFreshness({}, { timeoutMs: TIMEOUT_MS })
        const behind = tables.map(({ freshnessUs }) => freshnessUs)
        if (behind.length === 0 || behind.includes(undefined)) return { kind: 'done' }
        return { kind: 'done', facts: { freshnessUs: Math.max(...behind.map(Number)) } }
      } catch (error) {
        if (error instanceof TrueNowError) return { kind: 'done' }
        throw error
      }
    },
  }
}
