import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureCountMin } from './testing/measure-count-min.ts'
import { consecutiveValues, measureHyperLogLog, randomHashes } from './testing/measure-hyperloglog.ts'
import { DISTRIBUTIONS, measureTDigest } from './testing/measure-t-digest.ts'

/*
 * The short form of `make prove-sketches`, with fixed seeds: the same figures on every machine, so these bounds hold
 * always or never. Bands are three sampling standard deviations wide.
 */
const THEORY = 1.04 / Math.sqrt(16_384)
const RUNS = 30

for (const [name, feed] of [
  ['values', consecutiveValues],
  ['random hashes', randomHashes],
] as const) {
  test(`accuracy: HyperLogLog over ${name} has the error of theory and no bias, through the transition`, () => {
    for (const { cardinality, bias, relativeError } of measureHyperLogLog(
      [1_000, 3_072, 3_200, 5_000, 20_000, 60_000],
      RUNS,
      1,
      feed,
    )) {
      const figures = `${cardinality}: bias ${bias}, error ${relativeError}`
      assert.ok(Math.abs(bias) <= (3 * THEORY) / Math.sqrt(RUNS), figures)
      assert.ok(relativeError <= THEORY * (1 + 3 / Math.sqrt(2 * RUNS)), figures)
      if (cardinality <= 3_072) assert.ok(relativeError < 0.001, figures)
    }
  })
}

test('accuracy: t-digest stays inside its bound for every distribution and order', () => {
  for (const distribution of DISTRIBUTIONS) {
    for (const { q, greatest, bound } of measureTDigest(distribution, 50_000, 4, [1]))
      assert.ok(greatest <= bound, `${distribution} p${q * 100}: ${greatest}, at most ${bound}`)
  }
})

test('accuracy: Count-Min is never under, and beyond its bound less often than it says', () => {
  for (const skew of [0, 1.2]) {
    const { under, beyond, recall } = measureCountMin(skew, 100_000, 30_000, [1])
    assert.equal(under, 0)
    assert.ok(beyond <= Math.exp(-5), `${beyond}`)
    if (skew > 0) assert.ok(recall >= 0.9, `${recall}`)
  }
})
