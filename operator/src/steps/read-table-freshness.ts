import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Table } from '../api/v1alpha1/table.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableIdentity } from '../table-identity.ts'

const TIMEOUT_MS = 2_000

/** How far answers over this table are behind. The watermark role away costs the figure, not the pass. */
export function readTableFreshness({ operands }: OperatorContext): Step<Table, TableFacts> {
  return {
    name: 'read-table-freshness',
    condition: 'Ready',
    run: async (table) => {
      const cluster = { namespace: table.metadata.namespace, name: table.spec.clusterRef.name }
      try {
        const request = { table: tableIdentity(table) }
        const { tables } = await operands.watermark(cluster).getFreshness(request, { timeoutMs: TIMEOUT_MS })
        const behind = tables[0]?.freshnessUs
        return behind === undefined
          ? { kind: 'done' }
          : { kind: 'done', facts: { freshnessUs: Number(behind) } }
      } catch (error) {
        if (error instanceof TrueNowError) return { kind: 'done' }
        throw error
      }
    },
  }
}
