import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TrueNowError } from '../errors.ts'
import {
  COUNT_MIN_DEPTH,
  COUNT_MIN_WIDTH,
  decodeTopK,
  encodeTopK,
  type TopKState,
  topKType,
} from './top-k-v1.ts'

const exact: TopKState = {
  form: 'exact',
  counts: new Map([
    ['a', 300],
    ['ü', 1],
  ]),
}
const golden = Buffer.from(
  readFileSync(new URL('../../golden/top-k-v1-exact.hex', import.meta.url), 'utf8').replaceAll(/\s/g, ''),
  'hex',
)
/** Each row counts 2^40 + 128 values, in two places. */
function sketched(): Extract<TopKState, { form: 'sketch' }> {
  const counters = new Float64Array(COUNT_MIN_DEPTH * COUNT_MIN_WIDTH)
  for (let row = 0; row < COUNT_MIN_DEPTH; row++) counters.set([2 ** 40, 128], row * COUNT_MIN_WIDTH + row)
  return { form: 'sketch', candidates: [-3, 7], counters }
}

test('top-k v1: golden bytes, in both directions', () => {
  assert.deepEqual(Buffer.from(encodeTopK('string', exact)), golden)
  assert.deepEqual(decodeTopK('string', golden), exact)
  assert.equal(topKType(golden), 'string')
})

test('top-k v1: a sketch is its varints, and comes back', () => {
  const bytes = Buffer.from(encodeTopK('int64', sketched()))
  assert.deepEqual(decodeTopK('int64', bytes), sketched())
  const list = `01020000${'02000000'}${'00000000000008c0'}${'0000000000001c40'}`
  const row = (at: number) => `${'00'.repeat(at)}8080808080208001${'00'.repeat(COUNT_MIN_WIDTH - 2 - at)}`
  const rows = [0, 1, 2, 3, 4].map(row).join('')
  assert.equal(bytes.toString('hex'), `0101050c18000000${list}${rows}`)
})

test('top-k v1: rows that disagree about how many values they counted are refused', () => {
  const { counters, ...rest } = sketched()
  counters[COUNT_MIN_WIDTH] = 1
  assert.throws(() => decodeTopK('int64', encodeTopK('int64', { ...rest, counters })), {
    code: 'TN_BLOCK_CORRUPT',
    message: /rows that count/,
  })
})

test('top-k v1: cut short or with any byte changed it is refused or another lawful state', () => {
  for (let length = 0; length < golden.length; length++)
    assert.throws(() => decodeTopK('string', golden.subarray(0, length)), { code: 'TN_BLOCK_CORRUPT' })
  for (let at = 0; at < golden.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const bytes = Uint8Array.from(golden)
      bytes[at]! ^= mask
      try {
        const state = decodeTopK('string', bytes)
        assert.ok(state.form === 'exact' && [...state.counts.values()].every((count) => count >= 1))
      } catch (error) {
        assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
      }
    }
  }
})
