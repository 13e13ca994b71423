import { fmix32 } from '../hashing/fmix32.ts'

/** Which shards hold one slot now; order does not matter and ordinals that are gone may be among them. */
export type SlotPlacement = readonly number[]

export type PlacementInput = Readonly<{
  /** Every slot to be placed, with the shards that hold it; empty = placed nowhere yet. */
  slots: readonly SlotPlacement[]
  /** Ordinals of the shards that may hold replicas. */
  shards: readonly number[]
  /** Of these, those that may be given more; absent = all. */
  takers?: readonly number[]
  replicationFactor: number
  /** Replicas that each shard carries beside these slots (of other tables); absent = none. */
  load?: ReadonlyMap<number, number>
  /** Replicas that may change their shard for balance alone; 0 (the default) only places and repairs. */
  movesMax?: number
}>

export type PlacementPlan = Readonly<{
  /** For each slot its shards, ascending. */
  slots: ReadonlyArray<readonly number[]>
  /** Replicas that change shard for balance, in the order to do them; a slot moves twice only where no other could. */
  moves: ReadonlyArray<Readonly<{ slot: number; from: number; to: number }>>
  /** Replicas that found no shard: the replication factor is greater than the number of shards that could take one. */
  missing: number
}>

/**
 * Places the replicas of slots on shards. One planner for first placement, repair and rebalancing; same input, same plan.
 * Laws (plan-placement.test.ts): the replicas of a slot are on different shards; a replica whose shard is still there stays,
 * unless the slot has too many or a move is allowed; from an even start the loads end at most 1 apart, and with moves
 * allowed always, by the fewest moves that can do it.
 * Ties go to the greatest hash of (slot, shard), so that the slots of a lost shard are spread over all others.
 * Cost: O(slots × replicas × shards). Source: greedy to the least loaded bin; the balance step is exact because a shard
 * with more slots than another holds one that the other has not.
 */
export function planPlacement(input: PlacementInput): PlacementPlan {
  const { replicationFactor, movesMax = 0 } = input
  const shards = [...new Set(input.shards)].toSorted((a, b) => a - b)
  const takers = shards.filter((shard) => input.takers?.includes(shard) ?? true)
  const load = new Map(shards.map((shard) => [shard, input.load?.get(shard) ?? 0]))
  const add = (shard: number, by: number) => load.set(shard, loadOf(load, shard) + by)

  const slots = input.slots.map((held) => new Set(held.filter((shard) => load.has(shard))))
  for (const held of slots) for (const shard of held) add(shard, 1)
  const wanted = Math.min(replicationFactor, shards.length)
  let missing = 0
  for (const [slot, held] of slots.entries()) {
    while (held.size > wanted) {
      const surplus = best([...held], slot, (shard) => loadOf(load, shard))
      held.delete(surplus)
      add(surplus, -1)
    }
    while (held.size < wanted) {
      const free = takers.filter((shard) => !held.has(shard))
      if (free.length === 0) break
      const target = best(free, slot, (shard) => -loadOf(load, shard))
      held.add(target)
      add(target, 1)
    }
    missing += replicationFactor - held.size
  }
  const moves = balance(slots, { shards, takers }, load, movesMax)
  return { slots: slots.map((held) => [...held].toSorted((a, b) => a - b)), moves, missing }
}

type Among = Readonly<{ shards: readonly number[]; takers: readonly number[] }>

/** Moves one replica after another from the fullest to the emptiest shard, in place, until they are at most 1 apart. */
function balance(slots: Array<Set<number>>, among: Among, load: Map<number, number>, max: number) {
  const moves: Array<{ slot: number; from: number; to: number }> = []
  const moved = new Set<number>()
  while (moves.length < max) {
    const step = nextMove(slots, among, load, moved)
    if (step === undefined) break
    moved.add(step.slot)
    slots[step.slot]?.delete(step.from)
    slots[step.slot]?.add(step.to)
    load.set(step.from, loadOf(load, step.from) - 1)
    load.set(step.to, loadOf(load, step.to) + 1)
    moves.push(step)
  }
  return moves
}

/** Load of other tables cannot be moved here, so the fullest shard may have nothing to give: then the next one is asked. */
function nextMove(
  slots: ReadonlyArray<Set<number>>,
  { shards, takers }: Among,
  load: Map<number, number>,
  moved: ReadonlySet<number>,
) {
  const byLoad = shards.toSorted((a, b) => loadOf(load, b) - loadOf(load, a) || a - b)
  const emptiest = byLoad.filter((shard) => takers.includes(shard)).toReversed()
  for (const from of byLoad) {
    for (const to of emptiest) {
      if (loadOf(load, from) - loadOf(load, to) < 2) break
      const canMove = (held: ReadonlySet<number>) => held.has(from) && !held.has(to)
      const fresh = slots.findIndex((held, index) => canMove(held) && !moved.has(index))
      const slot = fresh >= 0 ? fresh : slots.findIndex(canMove)
      if (slot >= 0) return { slot, from, to }
    }
  }
  return undefined
}

function loadOf(load: ReadonlyMap<number, number>, shard: number): number {
  return load.get(shard) ?? 0
}

/** The candidate of greatest score, ties by hash. `candidates` is never empty: callers compare sizes first. */
function best(candidates: readonly number[], slot: number, score: (shard: number) => number): number {
  return candidates.reduce((left, right) => {
    const difference = score(right) - score(left) || tie(slot, right) - tie(slot, left)
    return difference > 0 ? right : left
  })
}

/** Mixes (slot, shard) to 32 bits. */
function tie(slot: number, shard: number): number {
  return fmix32(Math.imul(slot + 1, 0x9e3779b1) ^ Math.imul(shard + 1, 0x85ebca77)) >>> 0
}
