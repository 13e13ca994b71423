import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  type PlacedSlot,
  type ReplicaStateName,
  whyNotEmpty,
} from '@truenow/kernels/sharding/move-protocol.ts'

/** A fact that something may be deleted by, or why it is not known. Never a boolean: what nobody said must not look like no. */
export type Emptiness = Readonly<{ kind: 'Proof' }> | Readonly<{ kind: 'Unknown'; why: string }>

const STATES: Readonly<Record<ReplicaState, ReplicaStateName>> = {
  [ReplicaState.UNSPECIFIED]: 'joining',
  [ReplicaState.JOINING]: 'joining',
  [ReplicaState.SERVING]: 'serving',
  [ReplicaState.LEAVING]: 'leaving',
}

/**
 * Whether a shard is needed no more: the catalog may not give it anything, places nothing on it, no move of it is open, and
 * it says itself under the same revision that it holds nothing; or the catalog knows no such shard (it never came, or was
 * retired). Pure.
 */
export function proveEmpty({ catalog, loads, openMoves }: GetPlacementResponse, shard: number): Emptiness {
  const unknown = (why: string): Emptiness => ({ kind: 'Unknown', why })
  if (catalog === undefined) return unknown('the placement is not known')
  if (shard < catalog.shardCount && !catalog.drainedShards.includes(shard))
    return unknown(`shard ${shard} may still be given replicas`)
  if (openMoves.some(({ from, to }) => from === shard || to === shard))
    return unknown(`a move of shard ${shard} is not over`)
  const slots = catalog.tables.flatMap((table) => table.slots.map(placedSlot))
  const load = loads.find((one) => one.shard === shard)
  const entry = catalog.shards.find((one) => one.shard === shard)
  if (entry === undefined) {
    const held = slots.some(({ replicas }) => replicas.some((one) => one.shard === shard))
    return held ? unknown(`shard ${shard} holds a replica by the catalog`) : { kind: 'Proof' }
  }
  const registered = {
    incarnation: Number(entry.incarnation),
    processId: load?.registeredProcessId ?? '',
  }
  const report = load && {
    shard,
    incarnation: Number(load.incarnation),
    processId: load.processId,
    revision: Number(load.catalogRevision),
    holds: load.slots.length > 0,
    caughtUp: false,
  }
  const why = whyNotEmpty(slots, shard, report, { registered, revision: Number(catalog.revision) })
  return why === undefined ? { kind: 'Proof' } : unknown(why)
}

type Slot = NonNullable<GetPlacementResponse['catalog']>['tables'][number]['slots'][number]

const placedSlot = ({ epoch, replicas }: Slot): PlacedSlot => ({
  epoch: Number(epoch),
  replicas: replicas.map(({ shard, incarnation, state }) => ({
    shard,
    incarnation: Number(incarnation),
    state: STATES[state] ?? 'joining',
  })),
})
