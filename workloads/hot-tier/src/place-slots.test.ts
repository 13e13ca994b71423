import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { placeSlots } from './place-slots.ts'

const keys = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `t/${from + index}`)
const countsOf = (placed: ReadonlyMap<string, number>, workers: number) =>
  Array.from({ length: workers }, (_, worker) => [...placed.values()].filter((one) => one === worker).length)

test('placeSlots: every slot has one worker, those held keep theirs, and those that left are forgotten', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1e9), { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 8 }),
      (bytes, rounds) => {
        let held = new Map<string, number>()
        for (const [a, b] of rounds) {
          const wanted = keys(Math.min(a, b), Math.max(a, b))
          const placed = placeSlots(held, wanted, bytes)
          assert.deepEqual([...placed.keys()], wanted)
          for (const [key, worker] of placed) {
            assert.ok(worker >= 0 && worker < bytes.length)
            if (held.has(key)) assert.equal(worker, held.get(key))
          }
          held = placed
        }
      },
    ),
  )
})

test('placeSlots: empty workers get equal numbers of slots', () => {
  for (const workers of [1, 2, 3]) {
    const counts = countsOf(placeSlots(new Map(), keys(0, 20), new Array(workers).fill(0)), workers)
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join())
  }
})

test('placeSlots: new slots go to the emptier worker until it is as full, not all to the one that is emptier by a byte', () => {
  const held = new Map(keys(0, 4).map((key) => [key, 0]))
  const wanted = keys(0, 8)
  assert.deepEqual(countsOf(placeSlots(held, wanted, [4_000, 0]), 2), [4, 4])
  const even = new Map(keys(0, 4).map((key, index) => [key, index % 2]))
  assert.deepEqual(countsOf(placeSlots(even, keys(0, 12), [2_001, 2_000]), 2), [6, 6])
})
