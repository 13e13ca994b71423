import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeTDigest, encodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import fc from 'fast-check'
import { StateBudget } from '../aggregates/state-budget.ts'
import { quantileOfTDigest, TDigest, tDigestRankError } from './t-digest.ts'

const QUANTILES = [0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1]
const free = new StateBudget('QUERY_SKETCH_BYTES_MAX', 0, 'ask for less')
function digestOf(values: Iterable<number>): TDigest {
  const digest = new TDigest(free)
  for (const value of values) digest.add(value)
  return digest
}
/** Value i of n stands at i: the definition of SQL's percentile_cont. */
function interpolated(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return below + (above - below) * (at - Math.floor(at))
}

test('t-digest: up to 159 values are exact, merged or not', () => {
  const value = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((whole) => whole / 64)
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 159 }), fc.nat(159), (values, cut) => {
      const sorted = values.toSorted((a, b) => a - b)
      const merged = digestOf(values.slice(cut))
      merged.merge(digestOf(values.slice(0, cut)).state())
      for (const digest of [digestOf(values), merged]) {
        for (const q of QUANTILES) {
          const [found, wanted] = [quantileOfTDigest(digest.state(), q)!, interpolated(sorted, q)]
          assert.ok(
            Math.abs(found - wanted) <= 1e-9 * (1 + Math.abs(wanted)),
            `q ${q}: ${found}, not ${wanted}`,
          )
        }
      }
    }),
  )
})

test('t-digest: within its bound over any split in any order, and small', () => {
  const cuts = fc.array(fc.nat(19_999), { maxLength: 4 })
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
        minLength: 8,
        maxLength: 50,
      }),
      cuts,
      (seeds, at) => {
        // Many values from few: neighbours of each seed, so that there are clusters and gaps.
        const values = Array.from(
          { length: 20_000 },
          (_, index) => seeds[index % seeds.length]! + ((index * 7_919) % 20_000) / 1_000,
        )
        const sorted = Float64Array.from(values).sort()
        const bounds = [0, ...at.toSorted((a, b) => a - b), values.length]
        const merged = new TDigest(free)
        for (const [index, from] of bounds.slice(0, -1).entries())
          merged.merge(decodeTDigest(encodeTDigest(digestOf(values.slice(from, bounds[index + 1]!)).state())))
        const state = merged.state()
        assert.ok(state.means.length <= 500, `${state.means.length} centroids`)
        for (const q of QUANTILES) {
          const found = quantileOfTDigest(state, q)!
          const [low, high] = [
            sorted.findIndex((each) => each >= found),
            sorted.findLastIndex((each) => each <= found),
          ]
          // The bound is of single centroids: one place more for where each of two begins, between which is interpolated.
          const slack = tDigestRankError(q) * 20_000 + 2
          const target = q * 19_999
          assert.ok(
            low - 1 <= target + slack && high + 1 >= target - slack,
            `q ${q}: rank ${low} to ${high}, not ${target}`,
          )
        }
      },
    ),
    { numRuns: 40 },
  )
})

test('t-digest: equal input gives equal bits, and what is not finite is left out', () => {
  const values = Array.from({ length: 30_000 }, (_, index) => Math.sin(index) * index)
  const withOthers = values.flatMap((value, index) =>
    index % 1_000 === 0 ? [Number.NaN, Number.POSITIVE_INFINITY, value] : [value],
  )
  assert.deepEqual(digestOf(values).state(), digestOf(withOthers).state())
  assert.equal(quantileOfTDigest(digestOf([Number.NaN]).state(), 0.5), null)
})

test('t-digest: the widest range there is stays finite', () => {
  const state = digestOf([...Array(600).fill(-1.7e308), ...Array(600).fill(1.7e308)]).state()
  for (const q of QUANTILES) assert.ok(Number.isFinite(quantileOfTDigest(state, q)))
  assert.equal(quantileOfTDigest(state, 1), 1.7e308)
})

test('t-digest: quantiles 0 and 1 are the least and the greatest value, however far apart', () => {
  for (const values of [
    [-6_510_552_112_434_464, 7_875_655_713_122_397],
    [-1e308, 1e308],
  ]) {
    const digest = new TDigest(new StateBudget('none', 0, ''))
    for (const value of values) digest.add(value)
    assert.deepEqual([0, 1].map((q) => quantileOfTDigest(digest.state(), q)), values) // biome-ignore format: one line
  }
})
