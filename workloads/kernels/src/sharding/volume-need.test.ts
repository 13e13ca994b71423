import assert from 'node:assert/strict'
import { test } from 'node:test'
import { volumeNeed } from './volume-need.ts'

const cases: ReadonlyArray<[what: string, resident: number, free: bigint, max: bigint, need?: number]> = [
  ['just enough', 50, 100n, 1_000n],
  ['one byte too little', 50, 99n, 1_000n, 100],
  ['full', 1, 0n, 1_000n, 2],
  ['nothing comes to a full one', 0, 0n, 1_000n],
  ['a shard that does not tell', 50, 0n, 0n],
]
for (const [what, resident, volumeBytesFree, volumeBytesMax, need] of cases)
  test(`volumeNeed: ${what}`, () =>
    assert.equal(volumeNeed(resident, { volumeBytesFree, volumeBytesMax }), need))
