import type { Table } from '../api/v1alpha1/table.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableIdentity } from '../table-identity.ts'

/** Which slots of this table are hot, as the last look at its cluster found. */
export function readTableHeat({ heat, clusters }: OperatorContext): Step<Table, TableFacts> {
  return {
    name: 'read-table-heat',
    condition: 'Ready',
    run: async (table) => {
      const { namespace, name } = tableIdentity(table)
      const key = { namespace: table.metadata.namespace, name: table.spec.clusterRef.name }
      const told = heat.told(clusters.get(key)?.metadata.uid ?? '')
      if (told === undefined) return { kind: 'done' }
      return { kind: 'done', facts: { hotSlots: told.filter((one) => one.table === `${namespace}.${name}`) } }
    },
  }
}
