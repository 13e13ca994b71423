import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { Rebalance, RebalanceStatus } from './api/v1alpha1/rebalance.ts'
import type { ObjectKey } from './kubernetes/kubernetes-port.ts'
import { REBALANCES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { proposeRebalance } from './propose-rebalance.ts'
import { writeStatus } from './write-status.ts'

/** A proposal is a picture of one moment; it is drawn again this often at most, so that its object rests. */
const REFRESH_MS = 60_000
const RETRY_MS = 2_000

/** One pass over one Rebalance: asks where everything stands and writes the proposal into status. It moves nothing. */
export async function reconcileRebalance(
  context: OperatorContext,
  key: ObjectKey,
): Promise<{ afterMs: number } | undefined> {
  const rebalance = context.rebalances.get(key)
  if (rebalance === undefined || rebalance.metadata.deletionTimestamp !== undefined) return undefined
  const cluster = context.clusters.get({ namespace: key.namespace, name: rebalance.spec.clusterRef.name })
  const holder = cluster?.status?.operator
  if (holder !== undefined && holder !== context.identity) return { afterMs: REFRESH_MS }
  const status = await judge(context, rebalance, cluster?.metadata)
  await writeStatus(context, REBALANCES, rebalance, {
    observedGeneration: rebalance.metadata.generation,
    ...status,
  })
  return { afterMs: status.state === 'ProposalReady' ? REFRESH_MS : RETRY_MS }
}

async function judge(
  { operands }: OperatorContext,
  { spec, status = {} }: Rebalance,
  cluster: ObjectKey | undefined,
): Promise<RebalanceStatus> {
  if (cluster === undefined) {
    const message = `There is no TrueNowCluster ${spec.clusterRef.name} in this namespace; create it, or another Rebalance.`
    return { state: 'NotReady', message }
  }
  try {
    const proposal = proposeRebalance(await operands.controlPlane(cluster).getPlacement({}))
    const message =
      proposal.moveCount === 0
        ? 'The shards are even: no move would help.'
        : `${proposal.moveCount} moves would even the shards. This version proposes only; it moves nothing.`
    return { state: 'ProposalReady', message, ...proposal }
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    const { observedGeneration: _, ...before } = status
    // What was proposed stays readable; a control plane that is away says nothing about it.
    return before.state === 'ProposalReady' ? before : { state: 'PendingProposal', message: error.message }
  }
}
