import type { CatalogView } from '@truenow/chassis/catalog-view.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { rendezvous } from '@truenow/kernels/sharding/rendezvous.ts'
import { type SlotKey, slotName } from './shard-slot.ts'

/** A replica that can be asked for a copy, as the catalog names it. */
export type CopyPeer = Readonly<{ shard: number; address: string; epoch: number; incarnation: number }>

/**
 * Other shards' replicas of a slot that hold its data, serving ones before those that leave, in an order of each asker's own:
 * the slots of a shard that lost its volume are spread over those that can give them.
 */
export function copyPeers(view: CatalogView | undefined, key: SlotKey, ownShard: number): CopyPeer[] {
  const table = view?.table(key.namespace, key.name)
  const slot = table?.uid === key.uid ? table.slots.find(({ slot }) => slot === key.slot) : undefined
  if (view === undefined || slot === undefined) return []
  const inState = (state: ReplicaState): CopyPeer[] => {
    const peers = slot.replicas.flatMap((replica) => {
      const shard = view.shard(replica.shard)
      // A shard of another incarnation has lost what this replica held.
      if (replica.shard === ownShard || replica.state !== state) return []
      if (shard === undefined || shard.incarnation !== replica.incarnation) return []
      return [
        { shard: shard.shard, address: shard.address, epoch: slot.epoch, incarnation: shard.incarnation },
      ]
    })
    const order = rendezvous(`${slotName(key.namespace, key.name, key.slot)}/${ownShard}`, peers.map(({ address }) => address)) // biome-ignore format: one line
    return peers.toSorted((a, b) => order.indexOf(a.address) - order.indexOf(b.address))
  }
  return [...inState(ReplicaState.SERVING), ...inState(ReplicaState.LEAVING)]
}
