import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childMetadata, selectorLabels } from './child-metadata.ts'
import type { KubernetesObject } from './kubernetes-object.ts'

export type PodRole = Exclude<Role, 'operator'>
/** Roles whose pods are told apart by who calls them: their Service has no address of its own. */
const HEADLESS: readonly PodRole[] = ['hot-tier', 'ingester']
export const POD_ROLES: readonly PodRole[] = [
  'control-plane',
  'gateway',
  'ingester',
  'hot-tier',
  'query',
  'watermark',
]

/** The Service of a role, HTTP and gRPC. A shard is found by others before it is ready: they must reach it to make it so. */
export function roleService(cluster: TrueNowCluster, role: PodRole): KubernetesObject {
  const { http, grpc } = ROLE_PORTS[role]
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: childMetadata(cluster, role),
    spec: {
      type: 'ClusterIP',
      ...(HEADLESS.includes(role) ? { clusterIP: 'None' } : {}),
      ...(role === 'hot-tier' ? { publishNotReadyAddresses: true } : {}),
      selector: selectorLabels(cluster, role),
      ports: [
        { name: 'http', port: http, targetPort: 'http', protocol: 'TCP' },
        { name: 'grpc', port: grpc, targetPort: 'grpc', protocol: 'TCP' },
      ],
    },
  }
}

/** Nobody of the data plane talks to the Kubernetes API, so these have no rights and their tokens are not mounted. */
export function roleServiceAccount(cluster: TrueNowCluster, role: PodRole): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: childMetadata(cluster, role),
    automountServiceAccountToken: false,
  }
}

/** Guards against drains; none where one pod is all there is, or a drain would never end. */
export function roleDisruptionBudget(cluster: TrueNowCluster, role: PodRole): KubernetesObject {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: childMetadata(cluster, role),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: selectorLabels(cluster, role) },
    },
  }
}
