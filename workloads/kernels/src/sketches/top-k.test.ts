import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeTopK, encodeTopK, TOP_K_VALUES_MAX } from '@truenow/contracts/wire/top-k-v1.ts'
import fc from 'fast-check'
import { StateBudget } from '../aggregates/state-budget.ts'
import { CountMin } from './count-min.ts'
import { TopK, topEntries } from './top-k.ts'
import { ValueHasher } from './value-hasher.ts'

const free = new StateBudget('QUERY_SKETCH_BYTES_MAX', 0, 'ask for less')
function topOf(values: Iterable<number>): TopK {
  const hasher = new ValueHasher()
  const top = new TopK(free, hasher)
  for (const value of values) {
    if (top.hashes) hasher.ofNumber(value)
    top.add(value, 1)
  }
  return top
}
const overTheWire = (top: TopK) => decodeTopK('int64', encodeTopK('int64', top.state()))
const frequencies = (values: readonly number[]) => {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
    .map(([value, count]) => ({ value, count, error_max: 0 }))
    .sort((a, b) => b.count - a.count || a.value - b.value)
}

test('count-min: any split in any order gives the same counters, never under', () => {
  const rows = fc.array(fc.tuple(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), fc.nat(3)), { maxLength: 50 })
  fc.assert(
    fc.property(rows, (hashes) => {
      const [whole, ...parts] = [0, 1, 2, 3].map(() => new CountMin())
      for (const [high, low, part] of hashes) {
        whole!.add(high, low, 1)
        parts[part % 3]!.add(high, low, 1)
      }
      const [a, b, c] = parts as [CountMin, CountMin, CountMin]
      c.merge(a.counters)
      c.merge(b.counters)
      assert.deepEqual(c.counters, whole!.counters)
      assert.equal(whole!.total(), hashes.length)
      for (const [high, low] of hashes) {
        const truth = hashes.filter(([one, two]) => one === high && two === low).length
        assert.ok(whole!.estimate(high, low) >= truth)
      }
    }),
    { numRuns: 30 },
  )
})

test('top-k: few values are exact, over any split in any order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -9, max: 9 }), { maxLength: 200 }),
      fc.nat(200),
      fc.integer({ min: 1, max: 30 }),
      (values, cut, k) => {
        const merged = topOf(values.slice(cut))
        merged.merge(overTheWire(topOf(values.slice(0, cut))))
        assert.deepEqual(topEntries(overTheWire(merged), k), frequencies(values).slice(0, k))
        assert.deepEqual(encodeTopK('int64', merged.state()), encodeTopK('int64', topOf(values).state()))
      },
    ),
  )
})

test('top-k: many values: the same counters over any split, never under, the frequent ones all there', () => {
  // Value v of 5,000 appears about 3,000 / v times, in an order that mixes them.
  const values = Array.from({ length: 30_000 }, (_, index) => {
    const share = ((index * 7_919) % 30_000) / 30_000
    return Math.floor(5_000 ** share)
  })
  const truth = new Map(frequencies(values).map(({ value, count }) => [value, count]))
  const whole = topOf(values)
  for (const parts of [
    [values.slice(0, 9), values.slice(9)],
    [values.slice(10_000), values.slice(0, 5_000), values.slice(5_000, 10_000)],
  ]) {
    const merged = new TopK(free, new ValueHasher())
    for (const part of parts) merged.merge(overTheWire(topOf(part)))
    const [one, two] = [merged.state(), whole.state()]
    assert.ok(one.form === 'sketch' && two.form === 'sketch')
    assert.deepEqual(one.counters, two.counters)
    const found = topEntries(overTheWire(merged), 10)
    assert.deepEqual(
      found.map(({ value }) => value),
      frequencies(values)
        .slice(0, 10)
        .map(({ value }) => value),
    )
    for (const { value, count, error_max } of topEntries(one, 256)) {
      assert.ok(
        count >= truth.get(Number(value))! && count - error_max <= truth.get(Number(value))!,
        `${value}: ${count}`,
      )
    }
  }
})

test('top-k: a sketch from the first value that exact counts have no room for', () => {
  const some = Array.from({ length: TOP_K_VALUES_MAX }, (_, value) => value)
  assert.equal(topOf(some).state().form, 'exact')
  const state = topOf([...some, -1]).state()
  assert.ok(state.form === 'sketch' && state.candidates.length === TOP_K_VALUES_MAX)
  assert.equal(new CountMin(state.counters).total(), TOP_K_VALUES_MAX + 1)
})
