import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { GetPlacementResponseSchema } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { NOBODY } from '@truenow/kernels/sharding/move-protocol.ts'
import fc from 'fast-check'
import { planRepair, type RepairGoal } from './plan-repair.ts'

const SHARDS = 6
const { SERVING, JOINING } = ReplicaState
type Held = ReadonlyArray<readonly [shard: number, state: ReplicaState]>

const placementOf = (
  slots: readonly Held[],
  silentShards: readonly number[] = [],
  moving: readonly number[] = [],
) =>
  create(GetPlacementResponseSchema, {
    catalog: {
      shards: Array.from({ length: SHARDS }, (_, shard) => ({ shard })),
      tables: [
        {
          topic: 'truenow.k.c.production.events',
          slots: slots.map((held, slot) => ({
            slot,
            replicas: held.map(([shard, state]) => ({ shard, state })),
          })),
        },
      ],
    },
    silentShards: [...silentShards],
    openMoves: moving.map((slot) => ({
      table: { namespace: 'production', name: 'events' },
      slot,
      from: 0,
      to: 1,
    })),
  })
const goal = (more: Partial<RepairGoal> = {}): RepairGoal => ({
  shardCount: SHARDS,
  replicationFactor: 2,
  drained: new Set(),
  lost: new Set(),
  ...more,
})
const serving = (...shards: number[]): Held => shards.map((shard) => [shard, SERVING] as const)
const plain = (placement: ReturnType<typeof placementOf>, at: RepairGoal) =>
  planRepair(placement, at).moves.map(({ slot, from, to }) => [slot, from, to])

test('planRepair: what stands as it shall is left alone, and so is a slot that moves already', () => {
  assert.deepEqual(plain(placementOf([serving(0, 1), serving(4, 5)]), goal()), [])
  assert.deepEqual(plain(placementOf([serving(0, 5)], [], [0]), goal({ shardCount: 2 })), [])
})

test('planRepair: one more, one fewer, away from a shard that shall go', () => {
  assert.deepEqual(plain(placementOf([serving(0, 1)]), goal({ shardCount: 3, replicationFactor: 3 })), [
    [0, NOBODY, 2],
  ])
  assert.deepEqual(plain(placementOf([serving(0, 5)]), goal({ shardCount: 2 })), [[0, 5, 1]])
  const [[, , to] = []] = plain(placementOf([serving(0, 1, 2)]), goal())
  assert.equal(to, NOBODY)
})

test('planRepair: of too many replicas the one that does not answer goes, whatever the loads', () => {
  const joins: Held = [[0, SERVING], [1, JOINING], [2, SERVING]] // biome-ignore format: one line
  assert.deepEqual(plain(placementOf([joins]), goal()), [[0, 1, NOBODY]])
  assert.deepEqual(plain(placementOf([serving(0, 1, 2)], [2]), goal()), [[0, 2, NOBODY]])
})

test('planRepair: a silent shard keeps what it has and is given nothing; a lost one is replaced', () => {
  const silent = placementOf([serving(0, 1)], [1, 2, 3, 4])
  assert.deepEqual(plain(silent, goal()), [])
  assert.deepEqual(plain(silent, goal({ lost: new Set([1]) })), [[0, 1, 5]])
  const nobody = planRepair(placementOf([serving(0, 1)], [1, 2, 3, 4, 5]), goal({ lost: new Set([1]) }))
  assert.deepEqual([nobody.moves, nobody.missing], [[], 1])
})

/** Applies a round of moves as if each had been made. */
const applied = (slots: readonly Held[], moves: ReturnType<typeof planRepair>['moves']): Held[] =>
  slots.map((held, slot) => {
    const move = moves.find((one) => one.slot === slot)
    if (move === undefined) return held
    const rest = held.filter(([shard]) => shard !== move.from)
    return move.to === NOBODY ? rest : [...rest, [move.to, SERVING] as const]
  })

test('planRepair: rounds of it end with every slot on as many shards as it shall, none leaving, drained or lost, at most one move a slot', () => {
  const held = fc
    .uniqueArray(fc.nat(SHARDS - 1), { minLength: 1, maxLength: 4 })
    .map((shards) => serving(...shards))
  const world = fc.record({
    slots: fc.array(held, { maxLength: 12 }),
    shardCount: fc.integer({ min: 1, max: SHARDS }),
    replicationFactor: fc.integer({ min: 1, max: 3 }),
    lost: fc.uniqueArray(fc.nat(SHARDS - 1), { maxLength: 2 }),
    drained: fc.uniqueArray(fc.nat(SHARDS - 1), { maxLength: 2 }),
  })
  fc.assert(
    fc.property(world, ({ slots: first, shardCount, replicationFactor, lost, drained }) => {
      const at = goal({ shardCount, replicationFactor, lost: new Set(lost), drained: new Set(drained) })
      const stays = Array.from({ length: shardCount }, (_, shard) => shard).filter(
        (shard) => !lost.includes(shard) && !drained.includes(shard),
      )
      let slots = first
      for (let round = 0; round < 8; round++) {
        const { moves } = planRepair(placementOf(slots, lost), at)
        assert.equal(new Set(moves.map(({ slot }) => slot)).size, moves.length)
        for (const { to } of moves) assert.ok(to === NOBODY || stays.includes(to))
        if (moves.length === 0) break
        slots = applied(slots, moves)
      }
      if (stays.length < replicationFactor) return
      for (const one of slots) {
        assert.equal(one.length, replicationFactor)
        assert.ok(one.every(([shard]) => stays.includes(shard)))
      }
    }),
  )
})
