import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  type GetPlacementResponse,
  GetPlacementResponseSchema,
} from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { ReplicaState } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { shardUse } from '@truenow/kernels/sharding/shard-use.ts'
import fc from 'fast-check'
import { planBalance } from './plan-balance.ts'
import { shardLoads, slotKey } from './slot-figures.ts'

const TABLE = 'production.events'
type Slot = Readonly<{ held: readonly number[]; percent: number }>

function placementOf(
  shards: number,
  slots: readonly Slot[],
  silentShards: readonly number[] = [],
): GetPlacementResponse {
  const ordinals = Array.from({ length: shards }, (_, shard) => shard)
  const [namespace, name] = TABLE.split('.') as [string, string]
  return create(GetPlacementResponseSchema, {
    catalog: {
      replicationFactor: 1,
      shardCount: shards,
      shards: ordinals.map((shard) => ({ shard })),
      tables: [
        {
          topic: `truenow.apps.demo.${TABLE}`,
          slots: slots.map(({ held }, slot) => ({
            slot,
            replicas: held.map((shard) => ({ shard, state: ReplicaState.SERVING })),
          })),
        },
      ],
    },
    silentShards: [...silentShards],
    loads: ordinals.map((shard) => ({
      shard,
      workers: 1,
      slots: slots.flatMap(({ held, percent }, slot) =>
        held.includes(shard) ? [{ table: { namespace, name }, slot, applyShare: percent / 100 }] : [],
      ),
    })),
  })
}
const isHotAt = (slots: readonly Slot[], percent: number) => (key: string) =>
  slots.some((one, slot) => slotKey(TABLE, slot) === key && one.percent >= percent)

const world = fc.integer({ min: 1, max: 5 }).chain((shards) =>
  fc.record({
    shards: fc.constant(shards),
    slots: fc.array(
      fc.record({
        held: fc.uniqueArray(fc.nat(shards - 1), { minLength: 1, maxLength: 2 }),
        percent: fc.nat(100),
      }),
      { minLength: 1, maxLength: 12 },
    ),
  }),
)

test('planBalance: no slot twice, hot ones first, none to where it is; and no shard is made hot that was not busier before', () => {
  fc.assert(
    fc.property(world, ({ shards, slots }) => {
      const placement = placementOf(shards, slots)
      const isHot = isHotAt(slots, 70)
      const moves = planBalance(placement, { isHot, hotAt: 0.7 })
      assert.equal(new Set(moves.map(({ slot }) => slot)).size, moves.length)
      const hot = moves.map(({ slot }) => isHot(slotKey(TABLE, slot)))
      assert.deepEqual(
        hot,
        hot.toSorted((a, b) => Number(b) - Number(a)),
      )
      const loads = shardLoads(placement, () => true)
      const use = loads.map(shardUse)
      for (const { slot, from, to, message } of moves) {
        const { held = [], percent = 0 } = slots[slot] ?? {}
        assert.ok(held.includes(from) && !held.includes(to))
        assert.equal(message !== undefined, isHot(slotKey(TABLE, slot)))
        use[from] = (use[from] ?? 0) - percent / 100
        use[to] = (use[to] ?? 0) + percent / 100
      }
      assert.ok(Math.max(...use) <= Math.max(0.7, ...loads.map(shardUse)) + 1e-5, 'the busiest is no busier')
    }),
  )
})

test('planBalance: while nothing is hot, numbers of replicas come within one of each other', () => {
  fc.assert(
    fc.property(world, ({ shards, slots }) => {
      const idle = slots.map(({ held }) => ({ held: held.slice(0, 1), percent: 0 }))
      const counts = Array.from(
        { length: shards },
        (_, shard) => idle.filter(({ held }) => held.includes(shard)).length,
      )
      for (const { from, to } of planBalance(placementOf(shards, idle))) {
        counts[from] = (counts[from] ?? 0) - 1
        counts[to] = (counts[to] ?? 0) + 1
      }
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1)
    }),
  )
})

test('planBalance: a hot slot changes places with cool ones, and is not moved to a silent shard', () => {
  const slots = [{ held: [0], percent: 75 }, { held: [0], percent: 20 }, { held: [1], percent: 1 }, { held: [1], percent: 2 }] // biome-ignore format: one line
  const heat = { isHot: isHotAt(slots, 70), hotAt: 0.7 }
  const shown = planBalance(placementOf(2, slots), heat).map(({ slot, from, to }) => [slot, from, to])
  assert.deepEqual(shown, [[0, 0, 1], [2, 1, 0]]) // biome-ignore format: one line
  assert.deepEqual(planBalance(placementOf(2, slots, [1]), heat), [])
})
