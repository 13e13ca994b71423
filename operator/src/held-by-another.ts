import { ADOPT_ANNOTATION } from './api/names.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'

/** Does another operator hold this cluster, and has nobody handed it over to `identity` (`<namespace>/<lease>`). Pure. */
export function heldByAnother(cluster: TrueNowCluster, identity: string): boolean {
  const holder = cluster.status?.operator
  if (holder === undefined || holder === identity) return false
  return cluster.metadata.annotations?.[ADOPT_ANNOTATION] !== identity
}
