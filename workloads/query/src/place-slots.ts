/** One copy of a slot that may be read. */
export type Replica = Readonly<{ shard: number; incarnation: bigint }>
/** A slot that wants an answer, and the replicas that it has not been asked of yet. */
export type OpenSlot = Readonly<{ slot: number; candidates: readonly Replica[] }>
/** What is known of a shard when slots are placed on it. */
export type ShardView = Readonly<{
  inFlight: (shard: number) => number
  suspected: (shard: number) => boolean
}>

/**
 * Chooses one replica for each slot: an unsuspected shard first, then the one with the least to do (requests out and
 * slots placed here just now), then by turn. Slots without a candidate are left out.
 * Cost: O(slots × replicas).
 */
export function placeSlots<Slot extends OpenSlot>(
  slots: readonly Slot[],
  shards: ShardView,
  turn: number,
): ReadonlyMap<number, Array<{ slot: Slot; replica: Replica }>> {
  const groups = new Map<number, Array<{ slot: Slot; replica: Replica }>>()
  for (const slot of slots) {
    let best: Replica | undefined
    let bestCost = Number.POSITIVE_INFINITY
    for (const [at, replica] of slot.candidates.entries()) {
      const rank = (at + turn + slot.slot) % slot.candidates.length
      const busy = shards.inFlight(replica.shard) + (groups.get(replica.shard)?.length ?? 0)
      const cost = (shards.suspected(replica.shard) ? 1e9 : 0) + busy + rank / (slot.candidates.length + 1)
      if (cost >= bestCost) continue
      best = replica
      bestCost = cost
    }
    if (best === undefined) continue
    const group = groups.get(best.shard) ?? []
    group.push({ slot, replica: best })
    groups.set(best.shard, group)
  }
  return groups
}
