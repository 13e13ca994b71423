import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PlacementPlan, planPlacement } from './plan-placement.ts'

const count = (plan: PlacementPlan, shards: readonly number[]): number[] =>
  shards.map((shard) => plan.slots.filter((held) => held.includes(shard)).length)
const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

const world = fc
  .record({ shards: fc.integer({ min: 1, max: 9 }), replicationFactor: fc.integer({ min: 1, max: 4 }) })
  .chain(({ shards, replicationFactor }) =>
    fc.record({
      shards: fc.constant(range(shards)),
      replicationFactor: fc.constant(replicationFactor),
      // Ordinals up to 11: some of these replicas stand on shards that are gone.
      slots: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { maxLength: 5 }), { maxLength: 40 }),
    }),
  )

test('planPlacement: eight slots on two shards with two replicas are everywhere', () => {
  const plan = planPlacement({ slots: range(8).map(() => []), shards: [0, 1], replicationFactor: 2 })
  assert.deepEqual(plan, { slots: range(8).map(() => [0, 1]), moves: [], missing: 0 })
})

test('planPlacement: more replicas wanted than shards there are is said, not hidden', () => {
  assert.deepEqual(planPlacement({ slots: [[], []], shards: [4], replicationFactor: 2 }), {
    slots: [[4], [4]],
    moves: [],
    missing: 2,
  })
})

test('planPlacement: the replicas of a slot stand on different shards that exist, as many as can be', () => {
  fc.assert(
    fc.property(world, fc.nat(50), (input, movesMax) => {
      const plan = planPlacement({ ...input, movesMax })
      const wanted = Math.min(input.replicationFactor, input.shards.length)
      for (const held of plan.slots) {
        assert.equal(new Set(held).size, wanted)
        assert.ok(held.every((shard) => input.shards.includes(shard)))
      }
      assert.equal(plan.missing, plan.slots.length * (input.replicationFactor - wanted))
    }),
  )
})

test('planPlacement: repair alone leaves every replica that may stay where it is', () => {
  fc.assert(
    fc.property(world, (input) => {
      const plan = planPlacement(input)
      assert.deepEqual(plan.moves, [])
      for (const [slot, before] of input.slots.entries()) {
        const alive = before.filter((shard) => input.shards.includes(shard))
        const after = plan.slots[slot]!
        const kept = alive.filter((shard) => after.includes(shard)).length
        assert.equal(kept, Math.min(alive.length, after.length))
      }
    }),
  )
})

test('planPlacement: a shard that may not be given more keeps what it has, and what finds no taker is missing', () => {
  const takers = fc.uniqueArray(fc.nat(8), { maxLength: 9 })
  fc.assert(
    fc.property(world, takers, fc.nat(50), (input, given, movesMax) => {
      const plan = planPlacement({ ...input, takers: given, movesMax })
      for (const [slot, held] of plan.slots.entries())
        for (const shard of held) assert.ok(given.includes(shard) || input.slots[slot]!.includes(shard))
      const found = plan.slots.reduce((sum, held) => sum + held.length, 0)
      assert.equal(plan.missing, plan.slots.length * input.replicationFactor - found)
      assert.ok(plan.moves.every(({ to }) => given.includes(to)))
    }),
  )
})

test('planPlacement: to even full shards and empty ones no slot moves twice while another could', () => {
  const full = { slots: range(8).map(() => [0, 1]), shards: [0, 1, 2, 3], replicationFactor: 2, movesMax: 50 }
  const plan = planPlacement(full)
  assert.deepEqual(count(plan, full.shards), [4, 4, 4, 4])
  assert.equal(new Set(plan.moves.map(({ slot }) => slot)).size, plan.moves.length)
})

test('planPlacement: a first placement loads all shards alike, give or take one', () => {
  fc.assert(
    fc.property(world, ({ slots, shards, replicationFactor }) => {
      const counts = count(planPlacement({ slots: slots.map(() => []), shards, replicationFactor }), shards)
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
    }),
  )
})

test('planPlacement: with moves allowed the loads end at most 1 apart, by the fewest moves', () => {
  fc.assert(
    fc.property(world, (input) => {
      const repaired = count(planPlacement(input), input.shards)
      const plan = planPlacement({ ...input, movesMax: 10_000 })
      const counts = count(plan, input.shards)
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
      const total = repaired.reduce((sum, one) => sum + one, 0)
      const floor = Math.floor(total / repaired.length)
      const fuller = total % repaired.length
      const fewest = repaired
        .toSorted((a, b) => b - a)
        .reduce((sum, one, rank) => sum + Math.max(0, one - floor - (rank < fuller ? 1 : 0)), 0)
      assert.equal(plan.moves.length, fewest)
    }),
  )
})

test('planPlacement: a plan is a function of sets: the order in which shards are named changes nothing', () => {
  fc.assert(
    fc.property(world, fc.nat(5), (input, movesMax) => {
      const turned = {
        ...input,
        shards: input.shards.toReversed(),
        slots: input.slots.map((s) => s.toReversed()),
      }
      assert.deepEqual(planPlacement({ ...turned, movesMax }), planPlacement({ ...input, movesMax }))
    }),
  )
})

test('planPlacement: a plan carried out needs nothing more', () => {
  fc.assert(
    fc.property(world, (input) => {
      const once = planPlacement({ ...input, movesMax: 10_000 })
      const twice = planPlacement({ ...input, slots: once.slots, movesMax: 10_000 })
      assert.deepEqual(twice, { ...once, moves: [] })
    }),
  )
})

test('planPlacement: load of other tables counts', () => {
  const plan = planPlacement({
    slots: range(4).map(() => []),
    shards: [0, 1, 2],
    replicationFactor: 1,
    load: new Map([[0, 4]]),
  })
  assert.deepEqual(count(plan, [0, 1, 2]), [0, 2, 2])
})

test('planPlacement: the partners of one shard are many, so its loss loads all others', () => {
  const shards = range(8)
  const plan = planPlacement({ slots: range(64).map(() => []), shards, replicationFactor: 2 })
  for (const shard of shards) {
    const partners = new Set(plan.slots.filter((held) => held.includes(shard)).flat())
    assert.ok(partners.size >= 5, `shard ${shard} shares its slots with ${partners.size - 1} others only`)
  }
})
