import type { Cluster } from './cluster/cluster.ts'
import { eventually } from './eventually.ts'
import { OPERATOR_NAMESPACE } from './install-truenow.ts'
import { kubectl } from './target.ts'

/** Name of the pod that holds the operator's Lease; empty while nobody does. */
export async function leadingPod(cluster: Cluster): Promise<string> {
  const holder = ['get', 'lease/truenow-operator', '-o', 'jsonpath={.spec.holderIdentity}']
  const identity = await kubectl(cluster, ['-n', OPERATOR_NAMESPACE, ...holder])
  return identity.split('_')[0] ?? ''
}

/** Waits until a pod other than `former` holds the Lease. */
export const anotherLeads = (cluster: Cluster, former: string, timeoutMs: number): Promise<void> =>
  eventually('another pod leads', timeoutMs, async () => {
    const now = await leadingPod(cluster)
    return now !== former && now !== '' ? undefined : `${now} holds the Lease`
  })
