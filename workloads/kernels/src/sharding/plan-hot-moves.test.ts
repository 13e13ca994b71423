import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type HotSlot, type HotVerdict, planHotMoves } from './plan-hot-moves.ts'
import { type ShardLoad, shardUse } from './shard-use.ts'

const shard = (ordinal: number, busyShare: number, more: Partial<ShardLoad> = {}): ShardLoad => ({
  shard: ordinal,
  busyShare,
  workers: 1,
  bytes: 0,
  bytesMax: 1_000,
  takes: true,
  ...more,
})
const slot = (held: readonly number[], busyShare: number, more: Partial<HotSlot> = {}): HotSlot => ({
  slot: 's',
  heat: busyShare,
  held,
  busyShare,
  bytes: 100,
  ...more,
})

const cases: ReadonlyArray<[name: string, hot: HotSlot, loads: readonly ShardLoad[], expected: object]> = [
  ['to the least busy shard', slot([0], 0.7), [shard(0, 0.95), shard(1, 0.1), shard(2, 0.05)], { kind: 'moves', from: 0, to: 2 }],
  ['away from the busier of its shards', slot([0, 1], 0.7), [shard(0, 0.7), shard(1, 0.9), shard(2, 0)], { kind: 'moves', from: 1, to: 2 }],
  ['not one that fills a shard alone', slot([0], 0.9), [shard(0, 1), shard(1, 0)], { kind: 'stays', why: 'beyond-a-shard' }],
  ['not where every shard holds it', slot([0, 1], 0.7), [shard(0, 1), shard(1, 0.8)], { kind: 'stays', why: 'no-other-shard' }],
  ['not to a shard that may not be given more', slot([0], 0.7), [shard(0, 1), shard(1, 0, { takes: false })], { kind: 'stays', why: 'no-other-shard' }],
  ['not where its bytes do not fit', slot([0], 0.7), [shard(0, 1), shard(1, 0, { bytes: 901 })], { kind: 'stays', why: 'no-room' }],
  ['to where its bytes just fit', slot([0], 0.7), [shard(0, 1.2), shard(1, 0, { bytes: 900 })], { kind: 'moves', from: 0, to: 1 }],
  ['not where it would be as hot again', slot([0], 0.8), [shard(0, 0.85), shard(1, 0)], { kind: 'stays', why: 'no-gain' }],
  ['not for a small gain', slot([0], 0.7), [shard(0, 0.95), shard(1, 0.16)], { kind: 'stays', why: 'no-gain' }],
  ['a shard of two workers is half as busy', slot([0], 0.7), [shard(0, 0.95), shard(1, 0.5, { workers: 2 })], { kind: 'moves', from: 0, to: 1 }],
  ['memory makes a shard busy too', slot([0], 0.1, { heat: 0.8, bytes: 400 }), [shard(0, 0.1, { bytes: 950 }), shard(1, 0.1)], { kind: 'moves', from: 0, to: 1 }],
] // biome-ignore format: one line
for (const [name, hot, loads, expected] of cases)
  test(`planHotMoves: ${name}`, () =>
    assert.deepEqual(planHotMoves([hot], loads), [{ slot: 's', ...expected }]))

test('planHotMoves: of two hot slots one makes way, since the first move is reckoned with', () => {
  const hot = [slot([0], 0.5, { slot: 'a' }), slot([0], 0.45, { slot: 'b' })]
  const verdicts = planHotMoves(hot, [shard(0, 0.95), shard(1, 0.2)])
  assert.deepEqual(
    verdicts.map(({ kind }) => kind),
    ['moves', 'stays'],
  )
})

/** A world in which what shards take is what their slots take. */
const world = fc
  .record({ shards: fc.integer({ min: 1, max: 6 }), count: fc.integer({ min: 1, max: 12 }) })
  .chain(({ shards, count }) =>
    fc.record({
      shards: fc.array(fc.record({ workers: fc.integer({ min: 1, max: 3 }), takes: fc.boolean() }), {
        minLength: shards,
        maxLength: shards,
      }),
      slots: fc.array(
        fc.record({
          held: fc.uniqueArray(fc.nat(shards - 1), { minLength: 1, maxLength: 3 }),
          percent: fc.integer({ min: 0, max: 100 }),
          bytes: fc.nat(300),
          hot: fc.boolean(),
        }),
        { minLength: count, maxLength: count },
      ),
    }),
  )
type World = typeof world extends fc.Arbitrary<infer Value> ? Value : never
const loadsOf = ({ shards, slots }: World): ShardLoad[] =>
  shards.map(({ workers, takes }, ordinal) => {
    const held = slots.filter((one) => one.held.includes(ordinal))
    const busyShare = held.reduce((sum, { percent }) => sum + percent / 100, 0)
    return shard(ordinal, busyShare, {
      workers,
      takes,
      bytes: held.reduce((sum, { bytes }) => sum + bytes, 0),
    })
  })
const hotOf = ({ slots }: World): HotSlot[] =>
  slots.flatMap(({ held, percent, bytes, hot }, at) =>
    hot ? [{ slot: `s${at}`, heat: percent / 100, held, busyShare: percent / 100, bytes }] : [],
  )
const carriedOut = ({ shards, slots }: World, verdicts: readonly HotVerdict[]): World => ({
  shards,
  slots: slots.map((one, at) => {
    const verdict = verdicts.find((other) => other.slot === `s${at}`)
    if (verdict?.kind !== 'moves') return one
    return { ...one, held: [...one.held.filter((held) => held !== verdict.from), verdict.to] }
  }),
})
const busiest = (loads: readonly ShardLoad[]): number => Math.max(...loads.map(shardUse))

test('planHotMoves: every hot slot has a verdict; a move goes where the slot is not, fits, and makes no shard the busiest', () => {
  fc.assert(
    fc.property(world, (given) => {
      const [hot, loads] = [hotOf(given), loadsOf(given)]
      const verdicts = planHotMoves(hot, loads)
      assert.deepEqual(verdicts.map((one) => one.slot).toSorted(), hot.map((one) => one.slot).toSorted())
      assert.deepEqual(planHotMoves(hot.toReversed(), loads.toReversed()), verdicts)
      for (const verdict of verdicts) {
        if (verdict.kind !== 'moves') continue
        const { held = [] } = hot.find((one) => one.slot === verdict.slot) ?? {}
        assert.ok(held.includes(verdict.from) && !held.includes(verdict.to))
        assert.ok(loads[verdict.to]?.takes)
      }
      const after = loadsOf(carriedOut(given, verdicts))
      assert.ok(busiest(after) <= busiest(loads) + 1e-9)
      for (const { to } of verdicts.filter((one) => one.kind === 'moves'))
        assert.ok((after[to]?.bytes ?? 0) <= 1_000)
    }),
  )
})

test('planHotMoves: plan after plan comes to an end', () => {
  fc.assert(
    fc.property(world, (given) => {
      let at = given
      for (let round = 0; round < 60; round++) {
        const verdicts = planHotMoves(hotOf(at), loadsOf(at))
        if (verdicts.every(({ kind }) => kind === 'stays')) return
        at = carriedOut(at, verdicts)
      }
      assert.fail('still moving after 60 plans')
    }),
  )
})
