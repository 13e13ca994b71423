import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'

/** Name of the pod that is a shard. Pure. */
export const podOfShard = ({ metadata }: Pick<TrueNowCluster, 'metadata'>, shard: number): string =>
  `${metadata.name}-hot-tier-${shard}`
