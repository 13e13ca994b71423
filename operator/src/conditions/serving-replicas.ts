import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'

type Slot = NonNullable<GetPlacementResponse['catalog']>['tables'][number]['slots'][number]

/** Replicas of a slot that answer: the catalog calls them serving, and their shard reports. Pure. */
export const servingReplicas = ({ replicas }: Slot, { silentShards }: GetPlacementResponse): number =>
  replicas.filter(({ state, shard }) => state === ReplicaState.SERVING && !silentShards.includes(shard))
    .length
