import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { AppliedChild, OperatorContext } from '../operator-context.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import type { PodRole } from '../resources/services.ts'
import type { Workload } from '../workloads.ts'
import { adoptTemplate, heldOf } from './held-template.ts'
import type { StandingWorkload } from './release-templates.ts'

/** How the workload of a role stands, from what was applied here and what the cache shows; undefined: there is none of ours. */
export function standingWorkload(
  { applied, child }: OperatorContext,
  cluster: TrueNowCluster,
  role: PodRole,
): StandingWorkload | undefined {
  const { metadata, status } = cluster
  const kind = role === 'hot-tier' ? 'StatefulSet' : 'Deployment'
  const name = `${metadata.name}-${role}`
  const seen = child<Workload>(kind, { namespace: metadata.namespace, name })
  const ours = seen?.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true
  const live = ours ? seen : undefined
  const before = applied.get(`${metadata.uid}/${kind}/${name}`)
  if (live === undefined && before === undefined) return undefined
  // What was applied here is newer than any cache.
  const told = before === undefined ? heldOf(live) : heldOf(JSON.parse(before.desired) as KubernetesObject)
  // A spec that nobody has acted on yet asks for what it says.
  const actedOn = status?.observedGeneration === metadata.generation
  return {
    held: (rendered, inputs) => {
      if (told !== undefined) return told
      return live === undefined
        ? { inputs: '', template: undefined }
        : adoptTemplate(live, rendered, actedOn ? inputs : '')
    },
    rolledOut: live !== undefined && isRolledOut(live, before),
    anyReady: (live?.status?.readyReplicas ?? 0) > 0,
  }
}

function isRolledOut({ metadata, spec, status }: Workload, before: AppliedChild | undefined): boolean {
  const desired = spec.replicas ?? 1
  const shows =
    before === undefined || (before.uid === metadata.uid && (before.generation ?? 0) <= metadata.generation)
  const { observedGeneration, replicas = 0, readyReplicas = 0, updatedReplicas = 0 } = status ?? {}
  return (
    shows &&
    observedGeneration === metadata.generation &&
    replicas <= desired &&
    readyReplicas >= desired &&
    updatedReplicas >= desired
  )
}
