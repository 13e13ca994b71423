import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TrueNowError } from '../errors.ts'
import { decodeTDigest, encodeTDigest, type TDigestState } from './t-digest-v1.ts'

const digest: TDigestState = {
  min: -1.5,
  max: 9.25,
  means: Float64Array.of(-1.5, 2, 9),
  weights: Float64Array.of(1, 7, 2),
}
const golden = Buffer.from(
  readFileSync(new URL('../../golden/t-digest-v1.hex', import.meta.url), 'utf8').replaceAll(/\s/g, ''),
  'hex',
)

test('t-digest v1: golden bytes, in both directions', () => {
  assert.deepEqual(Buffer.from(encodeTDigest(digest)), golden)
  assert.deepEqual(decodeTDigest(golden), digest)
})

test('t-digest v1: cut short or with any byte changed it is refused or another lawful state', () => {
  for (let length = 0; length < golden.length; length++)
    assert.throws(() => decodeTDigest(golden.subarray(0, length)), { code: 'TN_BLOCK_CORRUPT' })
  for (let at = 0; at < golden.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const bytes = Uint8Array.from(golden)
      bytes[at]! ^= mask
      try {
        const { min, max, means } = decodeTDigest(bytes)
        assert.ok([min, ...means, max].every((mean, index, all) => index === 0 || mean >= all[index - 1]!))
      } catch (error) {
        assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
      }
    }
  }
})
