import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'

/** Labels by which children are found; the role is the component. */
export function childLabels(cluster: TrueNowCluster, role: string): Record<string, string> {
  return { ...selectorLabels(cluster, role), 'app.kubernetes.io/managed-by': 'truenow-operator' }
}

/** Labels that never change: what Services and workloads select by. */
export function selectorLabels({ metadata }: TrueNowCluster, role: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'truenow',
    'app.kubernetes.io/instance': metadata.name,
    'app.kubernetes.io/component': role,
    'truenow.io/cluster': metadata.name,
  }
}

/** The labels as one selector, as in a URL or in status. */
export const labelSelectorOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** Name, namespace, labels and owner of a child; the owner makes Kubernetes delete it with the cluster. */
export function childMetadata(
  cluster: TrueNowCluster,
  role: string,
  name = `${cluster.metadata.name}-${role}`,
) {
  const { apiVersion, kind, metadata } = cluster
  return {
    name,
    namespace: metadata.namespace,
    labels: childLabels(cluster, role),
    ownerReferences: [
      {
        apiVersion,
        kind,
        name: metadata.name,
        uid: metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  }
}
