import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import type { Judgement } from './judgement.ts'
import { servingReplicas } from './serving-replicas.ts'

/** Tables named in one message. */
const NAMED_MAX = 3

/** Can every slot be read: has each at least one serving replica. Unknown placement is Unknown, never True. Pure. */
export function clusterAvailable(placement: GetPlacementResponse | undefined): Judgement {
  const type = 'Available'
  if (placement?.catalog === undefined) {
    const message = 'The control plane has not told in this pass where the slots stand.'
    return { type, status: 'Unknown', reason: 'PlacementUnknown', message }
  }
  const unread = placement.catalog.tables.flatMap(({ topic, slots }) => {
    const without = slots.filter((slot) => servingReplicas(slot, placement) === 0)
    return without.length === 0 ? [] : [`${topic}: slots ${without.map(({ slot }) => slot).join(', ')}`]
  })
  if (unread.length === 0)
    return {
      type,
      status: 'True',
      reason: 'EverySlotServed',
      message: 'Every slot has a serving replica on a shard that reports.',
    }
  const more = unread.length > NAMED_MAX ? ` and ${unread.length - NAMED_MAX} more tables` : ''
  const message = `No serving replica for ${unread.slice(0, NAMED_MAX).join('; ')}${more}. Answers over them are partial until a shard reports again or a joining replica has caught up; see the shards' pods.`
  return { type, status: 'False', reason: 'SlotsUnserved', message }
}
