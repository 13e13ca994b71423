import type { Table } from '../api/v1alpha1/table.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import type { TableFacts } from '../table-facts.ts'

/** The cluster must be there, held by this operator, and not on its way out. */
export function findCluster({ clusters, identity }: OperatorContext): Step<Table, TableFacts> {
  return {
    name: 'find-cluster',
    condition: 'Synced',
    run: async ({ metadata, spec }) => {
      const { namespace } = metadata
      const { name } = spec.clusterRef
      const cluster = clusters.get({ namespace, name })
      const wait = (reason: string, message: string) =>
        ({ kind: 'wait', seconds: 10, reason, message }) as const
      if (cluster === undefined) {
        const message = `There is no TrueNowCluster ${name} in namespace ${namespace}; create it, or correct spec.clusterRef.name in a new Table.`
        return wait('ClusterNotFound', message)
      }
      if (cluster.metadata.deletionTimestamp !== undefined)
        return wait('ClusterDeleting', `TrueNowCluster ${name} is being deleted.`)
      const holder = cluster.status?.operator
      if (holder !== identity)
        return wait(
          'ClusterNotClaimed',
          holder === undefined
            ? `TrueNowCluster ${name} has not been taken by an operator yet.`
            : `TrueNowCluster ${name} is held by operator ${holder}.`,
        )
      return cluster.spec.paused === true ? { kind: 'done', facts: { resting: true } } : { kind: 'done' }
    },
  }
}
