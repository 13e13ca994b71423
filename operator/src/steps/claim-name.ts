import type { Table } from '../api/v1alpha1/table.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableIdentity } from '../table-identity.ts'

/** Two Tables of one cluster may not mean one table of the data plane: the older object wins, whichever is looked at first. */
export function claimName({ tables }: OperatorContext): Step<Table, TableFacts> {
  return {
    name: 'claim-name',
    condition: 'SpecValid',
    run: async (table) => {
      const older = olderClaimant(table, tables.all())
      if (older === undefined) return { kind: 'done' }
      const { namespace, name } = tableIdentity(table)
      const message = `Table ${older.metadata.name} has been ${namespace}.${name} of this cluster for longer; choose another spec.namespace or spec.name in a new Table.`
      // Not `invalid`: once that one is gone this one may have the name.
      return { kind: 'wait', seconds: 10, reason: 'NameTaken', message }
    },
  }
}

/** The Table that holds the same identity in the same cluster and is older, if any; the uid settles a tie. Pure. */
export function olderClaimant(table: Table, all: readonly Table[]): Table | undefined {
  const mine = tableIdentity(table)
  return all.find((other) => {
    if (other.metadata.uid === table.metadata.uid) return false
    if (other.metadata.namespace !== table.metadata.namespace) return false
    if (other.spec.clusterRef.name !== table.spec.clusterRef.name) return false
    const theirs = tableIdentity(other)
    return theirs.namespace === mine.namespace && theirs.name === mine.name && isOlder(other, table)
  })
}

function isOlder({ metadata: left }: Table, { metadata: right }: Table): boolean {
  const [a, b] = [left.creationTimestamp ?? '', right.creationTimestamp ?? '']
  return a === b ? left.uid < right.uid : a < b
}
