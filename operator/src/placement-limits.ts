import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { RepairGoal } from './plan-repair.ts'

/** Which shards may hold replicas, as the control plane was told last; the spec may be ahead of that. Pure. */
export const placementLimits = ({
  catalog,
}: Pick<GetPlacementResponse, 'catalog'>): Pick<RepairGoal, 'shardCount' | 'drained'> => ({
  shardCount: catalog?.shardCount || Number.POSITIVE_INFINITY, // 0: nobody has declared it yet.
  drained: new Set(catalog?.drainedShards),
})
