import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import type { OperatorContext } from './operator-context.ts'
import { placementLimits } from './placement-limits.ts'
import type { RepairGoal } from './plan-repair.ts'

/** What the placement shall be like by what the control plane was told. */
export function repairGoal(
  { silence }: Pick<OperatorContext, 'silence'>,
  { metadata }: TrueNowCluster,
  placement: GetPlacementResponse,
): RepairGoal {
  return {
    ...placementLimits(placement),
    replicationFactor: placement.catalog?.replicationFactor ?? 1,
    lost: silence.lost(metadata.uid),
  }
}
