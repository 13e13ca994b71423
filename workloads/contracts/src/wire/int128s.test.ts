import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WideIntegers } from './int128s.ts'

const [LEAST, MOST] = [-(2n ** 127n), 2n ** 127n - 1n]
const SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const edges = [0n, 1n, 2n ** 32n, 2n ** 52n, SAFE, SAFE + 1n, 2n ** 63n, 2n ** 64n, MOST]
const anyInteger = fc.oneof(
  fc.constantFrom(...edges, ...edges.map((edge) => -edge), LEAST),
  fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }),
  fc.bigInt({ min: LEAST, max: MOST }),
)

test('WideIntegers: what was written is read, as a bigint, and as a double where that is exact', () => {
  fc.assert(
    fc.property(fc.array(anyInteger), (values) => {
      const wide = WideIntegers.of(values, values.length)
      assert.equal(wide.length, values.length)
      for (const [row, value] of values.entries()) {
        assert.equal(wide.at(row), value)
        const isSafe = value >= -SAFE && value <= SAFE
        assert.equal(wide.safeAt(row), isSafe ? Number(value) : Number.NaN)
        if (!isSafe) continue
        wide.set(row, -1n)
        wide.setSafe(row, Number(value))
        assert.equal(wide.at(row), value)
      }
      assert.equal(wide.at(values.length), undefined)
      assert.equal(WideIntegers.of(wide, 0).length, 0)
    }),
  )
})
