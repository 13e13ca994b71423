import type { TrueNowClusterSpec } from './api/v1alpha1/truenow-cluster.ts'

/** Shards of a spec that shall hold no slot, ascending. Those that shall not be there at all are none of them. Pure. */
export const drainedOf = ({ drain = [], shards }: TrueNowClusterSpec['hotTier']): number[] =>
  [...new Set(drain)].filter((shard) => shard < shards).toSorted((a, b) => a - b)
