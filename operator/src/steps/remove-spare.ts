import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { Resource, Stored } from '../kubernetes/kubernetes-port.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'

/** Removes children of one kind that are not among `wanted`: only this cluster's own, by its uid. */
export async function removeSpare(
  { kubernetes, childrenOfKind, applied }: OperatorContext,
  { metadata }: TrueNowCluster,
  resource: Resource,
  wanted: readonly KubernetesObject[],
): Promise<void> {
  const { kind } = resource
  const needed = new Set(wanted.filter((one) => one.kind === kind).map((one) => one.metadata.name))
  for (const { metadata: spare } of childrenOfKind<Stored>(kind)) {
    const { namespace, name, uid, ownerReferences = [] } = spare
    const ours =
      namespace === metadata.namespace && ownerReferences.some((owner) => owner.uid === metadata.uid)
    if (!ours || needed.has(name) || spare.deletionTimestamp !== undefined) continue
    await kubernetes.remove(resource, { namespace, name }, uid)
    applied.delete(`${metadata.uid}/${kind}/${name}`)
  }
}
