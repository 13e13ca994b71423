import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { ClusterFacts } from '../cluster-facts.ts'
import type { Judgement } from '../conditions/judgement.ts'
import { KubernetesError } from '../kubernetes/kubernetes-port.ts'
import { MONITORING_RESOURCES } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import { monitoringChildrenOf } from '../resources/monitoring-children.ts'
import type { Step } from '../step.ts'
import { ensureChild, takenMessage } from './ensure-children.ts'
import { removeSpare } from './remove-spare.ts'

const MONITORED = 'Monitored'
/** What ends a pass, whatever it was doing. */
const ENDING = ['Conflict', 'NotLeader']

/**
 * What `spec.monitoring` asks for is there, and what it no longer asks for is not. None of it is needed to run, so trouble here
 * is told by the condition Monitored alone. That condition is written before the first object is made and goes after the last one
 * has gone: while it stands, and only then, there may be something to look after.
 */
export function ensureMonitoring(context: OperatorContext): Step<TrueNowCluster, ClusterFacts> {
  const { runbooksUrl } = context
  return {
    name: 'ensure-monitoring',
    condition: MONITORED,
    run: async (cluster, { paused }) => {
      if (paused === true) return { kind: 'done' }
      const wanted = monitoringChildrenOf(cluster, runbooksUrl)
      const begun = cluster.status?.conditions?.some(({ type }) => type === MONITORED) === true
      if (!begun && wanted.length === 0) return { kind: 'done' }
      if (!begun) return done('Unknown', 'Beginning', 'Asked for; its objects follow.')
      try {
        return await ensure(context, cluster, wanted)
      } catch (error) {
        if (!(error instanceof KubernetesError) || ENDING.includes(error.reason)) throw error
        return done('False', 'StepFailed', `The API server refused: ${error.message}`)
      }
    },
  }
}

const done = (status: Judgement['status'], reason: string, message: string) =>
  ({ kind: 'done', facts: { monitored: { type: MONITORED, status, reason, message } } }) as const

async function ensure(
  context: OperatorContext,
  cluster: TrueNowCluster,
  wanted: readonly KubernetesObject[],
) {
  const missing: string[] = []
  const listing: string[] = []
  for (const resource of MONITORING_RESOURCES) {
    const { kind } = resource
    const ofKind = wanted.filter((one) => one.kind === kind)
    const state = await context.optionalKinds.follow(resource)
    if (state === 'absent' && ofKind.length > 0) missing.push(kind)
    if (state === 'listing') listing.push(kind)
    if (state !== 'followed') continue
    for (const desired of ofKind) {
      if ((await ensureChild(context, cluster, desired)) !== 'taken') continue
      return done('False', 'NameTaken', takenMessage(desired))
    }
    await removeSpare(context, cluster, resource, wanted)
  }
  if (missing.length > 0) {
    const message = `This Kubernetes serves no ${missing.join(' and no ')}: install the CRDs of the Prometheus Operator (monitoring.coreos.com/v1), and they are made within a minute; or set these fields of spec.monitoring to false.`
    return done('False', 'PrometheusOperatorMissing', message)
  }
  if (listing.length > 0) {
    const message = `The first list of ${listing.join(', ')} is not whole yet; where this stays so, the operator’s rights are older than it is: see its log, and upgrade the chart.`
    return done('False', 'Listing', message)
  }
  if (wanted.length === 0) return { kind: 'done', facts: { monitored: 'none' } } as const
  return done(
    'True',
    'AsSpecified',
    `There are: ${wanted.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ')}.`,
  )
}
