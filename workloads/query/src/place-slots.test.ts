import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placeSlots, type ShardView } from './place-slots.ts'

const idle: ShardView = { inFlight: () => 0, suspected: () => false }
const slots = (count: number, shards: readonly number[]) =>
  Array.from({ length: count }, (_, slot) => ({
    slot,
    candidates: shards.map((shard) => ({ shard, incarnation: 1n })),
  }))
const sizes = (groups: ReturnType<typeof placeSlots>) =>
  [...groups].map(([shard, { length }]) => [shard, length]).toSorted()

test('placeSlots: idle shards share evenly', () => {
  assert.deepEqual(sizes(placeSlots(slots(8, [0, 1]), idle, 0)), [
    [0, 4],
    [1, 4],
  ])
})

test('placeSlots: a suspected shard is asked only where nobody else is left', () => {
  const shards = { ...idle, suspected: (shard: number) => shard === 0 }
  const alone = { slot: 9, candidates: [{ shard: 0, incarnation: 1n }] }
  assert.deepEqual(sizes(placeSlots([...slots(4, [0, 1]), alone], shards, 0)), [
    [0, 1],
    [1, 4],
  ])
})

test('placeSlots: a busy shard gets less', () => {
  const shards = { ...idle, inFlight: (shard: number) => (shard === 0 ? 10 : 0) }
  assert.deepEqual(sizes(placeSlots(slots(4, [0, 1]), shards, 0)), [[1, 4]])
})

test('placeSlots: one slot goes to each replica by turn', () => {
  const first = [0, 1].map((turn) => [...placeSlots(slots(1, [0, 1]), idle, turn).keys()][0])
  assert.deepEqual(first.toSorted(), [0, 1])
})

test('placeSlots: every slot with a candidate is placed once, on one of its candidates', () => {
  const open = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }), { maxLength: 20 })
  fc.assert(
    fc.property(
      open,
      fc.nat(),
      fc.func(fc.boolean()),
      fc.func(fc.nat(9)),
      (candidates, turn, suspected, inFlight) => {
        const given = candidates.map((shards, slot) => ({
          slot,
          candidates: shards.map((shard) => ({ shard, incarnation: 1n })),
        }))
        const placed = [...placeSlots(given, { inFlight, suspected }, turn)].flatMap(([shard, members]) =>
          members.map(({ slot, replica }) => {
            assert.equal(replica.shard, shard)
            assert.ok(slot.candidates.includes(replica))
            return slot.slot
          }),
        )
        const wanted = given.filter((each) => each.candidates.length > 0).map(({ slot }) => slot)
        assert.deepEqual(
          placed.toSorted((a, b) => a - b),
          wanted,
        )
      },
    ),
  )
})
