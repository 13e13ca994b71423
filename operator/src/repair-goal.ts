import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import type { RepairGoal } from './plan-repair.ts'

/** What the placement shall be like by what the control plane was told; the spec may be ahead of that. */
export function repairGoal(
  { silence }: Pick<OperatorContext, 'silence'>,
  { metadata }: TrueNowCluster,
  { catalog }: GetPlacementResponse,
): RepairGoal {
  return {
    shardCount: catalog?.shardCount || Number.POSITIVE_INFINITY, // 0: nobody has declared it yet.
    replicationFactor: catalog?.replicationFactor ?? 1,
    lost: silence.lost(metadata.uid),
  }
}
