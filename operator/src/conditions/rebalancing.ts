import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { type Judgement, NOTHING_REASON } from './judgement.ts'

/** Do replicas change their shards, and how many. Pure. */
export function rebalancing({ openMoves, openPlans }: GetPlacementResponse): Judgement {
  const type = 'Rebalancing'
  if (openMoves.length === 0)
    return { type, status: 'False', reason: NOTHING_REASON, message: 'No replica changes its shard.' }
  const message = `Replicas change their shards, by ${openPlans.length} plans; kubectl get rebalances tells how far they are.`
  return { type, status: 'True', reason: 'MovesOpen', message }
}
