import type { Cluster } from './cluster/cluster.ts'
import { OPERATOR_NAMESPACE } from './install-truenow.ts'
import { kubectl } from './target.ts'

/** Name of the pod that holds the operator's Lease; empty while nobody does. */
export async function leadingPod(cluster: Cluster): Promise<string> {
  const holder = ['get', 'lease/truenow-operator', '-o', 'jsonpath={.spec.holderIdentity}']
  const identity = await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...holder])
  return identity.split('_')[0] ?? ''
}
