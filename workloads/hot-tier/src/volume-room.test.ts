import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { volumeRoom } from './volume-room.ts'

test('volumeRoom: a directory that is there has a size and no more free than that', () => {
  const { volumeBytesFree, volumeBytesMax } = volumeRoom(tmpdir())
  assert.ok(volumeBytesMax > 0n && volumeBytesFree >= 0n && volumeBytesFree <= volumeBytesMax)
})

test('volumeRoom: of one that is not there nobody knows', () => {
  assert.deepEqual(volumeRoom(join(tmpdir(), 'no-such-directory-of-truenow')), {
    volumeBytesFree: 0n,
    volumeBytesMax: 0n,
  })
})
