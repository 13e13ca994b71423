import { RESTART_ANNOTATION } from '../api/names.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { KubernetesPort, ObjectKey } from '../kubernetes/kubernetes-port.ts'
import { CLUSTERS } from '../kubernetes/resources.ts'

export type ClusterVerb = 'pause' | 'resume' | 'restart'

/**
 * Changes what a person may change of a cluster by one word. Answers what to tell, or undefined where there is no such
 * cluster. Needs `get` and `patch` on truenowclusters. Errors: KubernetesError.
 */
export async function changeCluster(
  port: KubernetesPort,
  key: ObjectKey,
  verb: ClusterVerb,
  now: string,
): Promise<string | undefined> {
  const cluster = await port.get<TrueNowCluster>(CLUSTERS, key)
  if (cluster === undefined) return undefined
  const about = `cluster ${key.namespace}/${key.name}`
  const paused = cluster.spec.paused === true
  if (verb === 'restart') {
    await port.mergePatch(CLUSTERS, key, { metadata: { annotations: { [RESTART_ANNOTATION]: now } } })
    const held = paused ? ' It is paused, so nothing happens before `kubectl truenow resume`.' : ''
    return `${about}: a rolling restart was asked for at ${now}.${held}`
  }
  const wanted = verb === 'pause'
  if (paused === wanted) return `${about} ${wanted ? 'is paused already' : 'is not paused'}.`
  await port.mergePatch(CLUSTERS, key, { spec: { paused: wanted } })
  return wanted
    ? `${about} is paused: the operator changes nothing, and events and queries go on.`
    : `${about} goes on: the operator acts on its spec again.`
}
