import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TrueNowError } from '../errors.ts'
import {
  decodeHyperLogLog,
  encodeHyperLogLog,
  HYPERLOGLOG_DENSE_BYTES,
  HYPERLOGLOG_REGISTERS,
  type HyperLogLogState,
} from './hyperloglog-v1.ts'

/** Index 0 with its rank, index 5, and the last one. */
const sparse: HyperLogLogState = {
  form: 'sparse',
  entries: Uint32Array.of(40, 5 << 6, (2 ** 25 - 1) * 64),
}
/** Register i holds i modulo 52: every rank there is. */
function everyRank(): HyperLogLogState {
  const bits = Array.from(
    { length: HYPERLOGLOG_REGISTERS * 6 },
    (_, bit) => ((Math.floor(bit / 6) % 52) >>> (bit % 6)) & 1,
  )
  const registers = new Uint8Array(HYPERLOGLOG_DENSE_BYTES)
  for (const [bit, value] of bits.entries()) registers[bit >>> 3]! |= value << (bit & 7)
  return { form: 'dense', registers }
}
const golden = Buffer.from(
  readFileSync(new URL('../../golden/hyperloglog-v1-sparse.hex', import.meta.url), 'utf8').replaceAll(
    /\s/g,
    '',
  ),
  'hex',
)
/** SHA-256 of the dense state as another encoder wrote it. */
const DENSE_SHA256 = '1a286ffe73dcbb54c02a0fc302f92123af002d2f326a361a06f4ab34e1517e6e'

test('hyperloglog v1: golden bytes, in both directions and both forms', () => {
  assert.deepEqual(Buffer.from(encodeHyperLogLog(sparse)), golden)
  assert.deepEqual(decodeHyperLogLog(golden), sparse)
  const dense = encodeHyperLogLog(everyRank())
  assert.equal(createHash('sha256').update(dense).digest('hex'), DENSE_SHA256)
  assert.deepEqual(decodeHyperLogLog(dense), everyRank())
})

test('hyperloglog v1: cut short or with any byte changed it is refused or another lawful state', () => {
  for (let length = 0; length < golden.length; length++) {
    if (length >= 4 && length % 4 === 0) continue // Fewer entries are a state of fewer values.
    assert.throws(() => decodeHyperLogLog(golden.subarray(0, length)), { code: 'TN_BLOCK_CORRUPT' })
  }
  for (let at = 0; at < golden.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const bytes = Uint8Array.from(golden)
      bytes[at]! ^= mask
      try {
        assert.deepEqual(encodeHyperLogLog(decodeHyperLogLog(bytes)), bytes)
      } catch (error) {
        assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
      }
    }
  }
})

const refused: ReadonlyArray<[name: string, bytes: readonly number[], says: RegExp]> = [
  ['another version', [2, 0, 14, 25], /version 2/],
  ['another precision', [1, 0, 12, 25], /precision 12/],
  ['another form', [1, 2, 14, 25], /form 2/],
  ['an index twice', [1, 0, 14, 25, 64, 0, 0, 0, 64, 0, 0, 0], /index 1 after 1/],
  ['a rank where bits say it already', [1, 0, 14, 25, 65, 0, 0, 0], /rank 1 of index 1/],
  ['no rank where it is needed', [1, 0, 14, 25, 0, 0, 0, 0], /rank 0 of index 0/],
  ['a rank beyond the hash', [1, 0, 14, 25, 41, 0, 0, 0], /rank 41/],
  ['too few registers', [1, 1, 14, 25, 0, 0, 0], /3 bytes of registers/],
]
for (const [name, bytes, says] of refused) {
  test(`hyperloglog v1: ${name} is refused in words`, () => {
    assert.throws(() => decodeHyperLogLog(Uint8Array.from(bytes)), {
      code: 'TN_BLOCK_CORRUPT',
      message: says,
    })
  })
}

test('hyperloglog v1: a register beyond 51 is refused', () => {
  const bytes = encodeHyperLogLog(everyRank())
  bytes[4] = 52
  assert.throws(() => decodeHyperLogLog(bytes), { code: 'TN_BLOCK_CORRUPT', message: /a register of 52/ })
})
