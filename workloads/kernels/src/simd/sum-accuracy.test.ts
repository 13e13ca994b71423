import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FEW_GROUPS_SCRATCH_BYTES, sumWorkBytes } from './kernels.ts'
import { loadKernels } from './load-kernels.ts'

/*
 * The error bounds that kernels.ts states, against exact sums: every float64 here is a whole number of 2^-300, which a
 * bigint holds. Values of many sizes and both signs, so that sums cancel.
 */
const memory = new WebAssembly.Memory({ initial: 64, maximum: 65_536, shared: true })
const kernels = loadKernels(memory)
const f64 = new Float64Array(memory.buffer)
const u8 = new Uint8Array(memory.buffer)
const u32 = new Uint32Array(memory.buffer)
const [VALUES, CODES, GROUPS, STATES, SCRATCH, KEYS, WORK] = [
  64, 600_000, 700_000, 1_000_000, 1_200_000, 1_300_000, 1_400_000,
]
assert.ok(SCRATCH + FEW_GROUPS_SCRATCH_BYTES < memory.buffer.byteLength)

const exact = (value: number): bigint => BigInt(value * 2 ** 300)
const size = (value: bigint): bigint => (value < 0n ? -value : value)
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)

const chunk = fc.record({
  n: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constantFrom(16_384, 40_000, 65_536)),
  seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  powers: fc.constantFrom(0, 8, 60),
  giantEvery: fc.constantFrom(0, 3_000),
})

/** Fills the memory with a chunk; the codes of giants are 0. Returns the greatest |value|. */
function fill({
  n,
  seed,
  powers,
  giantEvery,
}: typeof chunk extends fc.Arbitrary<infer T> ? T : never): bigint {
  let state = seed
  const below = (limit: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * limit)
  }
  let most = 0
  for (let row = 0; row < n; row++) {
    const giant = giantEvery > 0 && below(giantEvery) === 0
    const value = (below(2 ** 32) - 2 ** 31 + below(2 ** 20) / 2 ** 20) * 2 ** -below(powers + 1)
    f64[VALUES / 8 + row] = giant ? value * 2 ** 90 : value
    u8[CODES + row] = giant ? 0 : below(5)
    u32[GROUPS / 4 + row] = u8[CODES + row]!
    most = Math.max(most, Math.abs(f64[VALUES / 8 + row]!))
  }
  f64.fill(0, STATES / 8, STATES / 8 + 3 * 256)
  return exact(most)
}

const stateOf = (group: number): bigint =>
  exact(f64[STATES / 8 + 3 * group]!) + exact(f64[STATES / 8 + 3 * group + 1]!)

test('sumF64: as exact as it says', () => {
  fc.assert(
    fc.property(chunk, (one) => {
      const most = fill(one)
      kernels.sumF64(VALUES, one.n, 0, STATES)
      let wanted = 0n
      for (let row = 0; row < one.n; row++) wanted += exact(f64[VALUES / 8 + row]!)
      assert.ok(size(stateOf(0) - wanted) <= most >> 60n)
      assert.equal(f64[STATES / 8 + 2], one.n)
    }),
    { numRuns: 40 },
  )
})

function sumFixed(n: number): void {
  u8.fill(0, WORK, WORK + sumWorkBytes(5))
  u32.set([4, GROUPS, 0], KEYS / 4)
  kernels.sumF64ByKeys(VALUES, KEYS, 1, n, 0, 0, 5, WORK, STATES)
  kernels.settleSums(WORK, STATES)
}

test('sums in fixed point: of values of like size as exact as a bigint, in any order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 1, max: 65_536 }), (seed, n) => {
      fill({ n, seed, powers: 8, giantEvery: 0 })
      sumFixed(n)
      for (let group = 0; group < 5; group++) {
        let wanted = 0n
        for (let row = 0; row < n; row++)
          if (u8[CODES + row] === group) wanted += exact(f64[VALUES / 8 + row]!)
        // The pair itself has 106 bits: of a compensation, half of its last one.
        assert.ok(size(stateOf(group) - wanted) <= size(exact(f64[STATES / 8 + 3 * group + 1]!)) >> 52n)
      }
    }),
    { numRuns: 40 },
  )
})

test('sums by group: as exact as they say', () => {
  fc.assert(
    fc.property(chunk, fc.constantFrom('by codes', 'fixed', 'any'), (one, form) => {
      const most = fill(one)
      const { n } = one
      if (form === 'by codes') kernels.sumF64By8(VALUES, CODES, n, 0, STATES, SCRATCH)
      if (form === 'fixed') sumFixed(n)
      if (form === 'any') kernels.groupSumF64(VALUES, GROUPS, n, 0, STATES)
      for (let group = 0; group < 5; group++) {
        let [wanted, all, small, count] = [0n, 0n, 0n, 0n]
        for (let row = 0; row < n; row++) {
          if (u8[CODES + row] !== group) continue
          const value = exact(f64[VALUES / 8 + row]!)
          wanted += value
          all += size(value)
          small += smaller(size(value), most >> 25n)
          count++
        }
        const bounds = {
          'by codes': small >> 42n,
          // What a value loses, and the rounding of the compensation.
          fixed: (all >> 53n) + (all >> 100n),
          any: (count * count * all) >> 106n,
        }
        const bound = bounds[form]
        assert.ok(size(stateOf(group) - wanted) <= bound, `${form}, group ${group}`)
        assert.equal(f64[STATES / 8 + 3 * group + 2], Number(count))
      }
    }),
    { numRuns: 60 },
  )
})

test('sumF64: a sum beyond float64 is infinite, and says so to the next chunk', () => {
  const state = STATES / 8
  f64.fill(Number.MAX_VALUE, VALUES / 8, VALUES / 8 + 100)
  f64.fill(0, state, state + 3)
  kernels.sumF64(VALUES, 100, 0, STATES)
  assert.deepEqual([...f64.subarray(state, state + 3)], [Number.POSITIVE_INFINITY, 0, 100])
  f64.fill(1, VALUES / 8, VALUES / 8 + 100)
  kernels.sumF64(VALUES, 100, 0, STATES)
  assert.deepEqual([...f64.subarray(state, state + 3)], [Number.POSITIVE_INFINITY, 0, 200])
})
