import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy, type PutTableResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Table } from '../api/v1alpha1/table.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step, StepResult } from '../step.ts'
import { tableDeclaration } from '../table-declaration.ts'
import type { TableFacts } from '../table-facts.ts'
import { tableIdentity } from '../table-identity.ts'
import { tableIsGone } from '../table-is-gone.ts'

/** Tells the control plane what the table shall be; it creates and checks the topic, numbers versions and places slots. */
export function declareTable(context: OperatorContext): Step<Table, TableFacts> {
  return {
    name: 'declare-table',
    condition: 'Synced',
    run: async (table, { resting }) => {
      if (resting === true) return { kind: 'done' }
      try {
        return declared(await putTable(context, table))
      } catch (error) {
        if (!(error instanceof TrueNowError)) throw error
        return refused(error)
      }
    },
  }
}

const clusterKey = ({ metadata, spec }: Table) => ({
  namespace: metadata.namespace,
  name: spec.clusterRef.name,
})

async function putTable(context: OperatorContext, table: Table): Promise<PutTableResponse> {
  const cluster = clusterKey(table)
  const controlPlane = context.operands.controlPlane(cluster)
  const { uid, generation, namespace } = table.metadata
  const definitionJson = JSON.stringify(tableDeclaration(table))
  const put = () =>
    context.leaderEpochs.under(cluster, (leaderEpoch) =>
      controlPlane.putTable({ uid, generation: BigInt(generation), definitionJson, leaderEpoch }),
    )
  try {
    return await put()
  } catch (error) {
    const holder = nameHolder(error)
    // Whoever holds the name is an object that is gone: it was deleted while nobody could tell the control plane.
    if (holder === undefined || !(await tableIsGone(context, namespace, holder))) throw error
    const lost = { table: tableIdentity(table), uid: holder, policy: DeletionPolicy.RETAIN }
    await context.leaderEpochs.under(cluster, (leaderEpoch) =>
      controlPlane.deleteTable({ ...lost, leaderEpoch }),
    )
    return put()
  }
}

function nameHolder(error: unknown): string | undefined {
  if (!(error instanceof TrueNowError) || error.details.reason !== 'NameTaken') return undefined
  return typeof error.details.uid === 'string' ? error.details.uid : undefined
}

function declared(answer: PutTableResponse): StepResult<TableFacts> {
  const { topic, version, slotsReady, topicDrift } = answer
  return { kind: 'done', facts: { topic, version, slotsReady, drift: topicDrift } }
}

function refused({ code, message, details }: TrueNowError): StepResult<TableFacts> {
  if (code === 'TN_TABLE_INVALID') return { kind: 'invalid', reason: 'ChangeRefused', message }
  if (code === 'TN_TABLE_CONFLICT') {
    const reason = typeof details.reason === 'string' ? details.reason : 'AdoptionConflict'
    // What the spec claims is not to be had, so it is the spec that must change, or what stands in its way.
    return { kind: 'wait', seconds: 10, condition: 'SpecValid', reason, message }
  }
  return { kind: 'wait', seconds: 1, reason: 'ControlPlaneUnavailable', message }
}
