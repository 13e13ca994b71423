import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step } from '../step.ts'
import { tableIsGone } from '../table-is-gone.ts'

/**
 * Tables of the catalog whose object is gone: it was deleted while no operator ran. They are retained, like any other whose
 * object goes, so nothing is lost by it. That it is gone is asked of the API server, whose list is whole, and whoever put a
 * table into the catalog had seen its object before.
 */
export function retireLostTables(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  const { operands, leaderEpochs, record } = context
  return {
    name: 'retire-lost-tables',
    condition: 'OperandReachable',
    run: async (cluster, { placement, paused }) => {
      if (paused === true || placement?.catalog === undefined) return { kind: 'done' }
      for (const { uid, versionsJson, topic } of placement.catalog.tables) {
        if (uid === '' || !(await tableIsGone(context, cluster.metadata.namespace, uid))) continue
        const { namespace, name } = JSON.parse(versionsJson.at(-1) ?? '{}') as TableDefinition
        const controlPlane = operands.controlPlane(cluster.metadata)
        const lost = { table: { namespace, name }, uid, policy: DeletionPolicy.RETAIN }
        try {
          await leaderEpochs.under(cluster.metadata, (leaderEpoch) =>
            controlPlane.deleteTable({ ...lost, leaderEpoch }),
          )
        } catch (error) {
          if (!(error instanceof TrueNowError)) throw error
          return { kind: 'wait', seconds: 1, reason: 'ControlPlaneUnavailable', message: error.message }
        }
        const note = `The object of table ${namespace}.${name} is gone; its topic ${topic} and catalog entry stay (deletionPolicy Retain).`
        await record(cluster, { type: 'Normal', reason: 'DataRetained', action: 'Retain', note })
      }
      return { kind: 'done' }
    },
  }
}
