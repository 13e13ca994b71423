import { ADOPT_ANNOTATION } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import { heldByAnother } from '../held-by-another.ts'
import { CLUSTERS } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { Step, StepResult } from '../step.ts'

/**
 * Two operators must never both act on one cluster. The first to write `status.operator` holds it; another leaves it alone
 * until the annotation truenow.io/adopt names that other. The write carries the version that was read, so of two who found
 * it free one is refused; and nothing else is written before the claim has been seen to stand.
 */
export function claimCluster(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  return {
    name: 'claim-cluster',
    condition: 'SpecValid',
    run: async (cluster) => {
      const { metadata, status } = cluster
      if (status?.operator === context.identity) return { kind: 'done' }
      if (heldByAnother(cluster, context.identity)) return leaveAlone(context, cluster)
      const { name, namespace, resourceVersion } = metadata
      const claim = {
        apiVersion: cluster.apiVersion,
        kind: cluster.kind,
        metadata: { name, namespace, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
        // Apply gives up what it leaves out, so what was told before is told again.
        status: { ...status, operator: context.identity },
      }
      await context.kubernetes.apply(CLUSTERS, claim, { force: true, subresource: 'status' })
      const message = 'The claim is written; the next pass sees it and goes on.'
      return { kind: 'wait', seconds: 1, reason: 'Claiming', message, facts: { foreign: true } }
    },
  }
}

/** Its status is the holder's to write, so only an Event and the log can tell why nothing happens. */
async function leaveAlone(
  { identity, record, log }: OperatorContext,
  cluster: TrueNowCluster,
): Promise<StepResult<ClusterFacts>> {
  const { name, namespace } = cluster.metadata
  const holder = cluster.status?.operator
  const reason = 'ClaimedByAnotherOperator'
  const message = `Operator ${holder} holds this cluster, so ${identity} leaves it alone; annotate it with ${ADOPT_ANNOTATION}=${identity} to hand it over.`
  log.info({ namespace, cluster: name, holder }, 'another operator holds this cluster')
  await record(cluster, { type: 'Warning', reason, action: 'Claim', note: message })
  return { kind: 'wait', seconds: 60, reason, message, facts: { foreign: true } }
}
