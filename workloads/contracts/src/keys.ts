import type { ClusterIdentity } from './topics.ts'

/** Redis key of a whole query result: the digest covers plan, table version, incarnations and positions. */
export function resultCacheKey(identity: ClusterIdentity, digest: string): string {
  return `truenow:${identity.kubernetesNamespace}:${identity.cluster}:result:v1:${digest}`
}
