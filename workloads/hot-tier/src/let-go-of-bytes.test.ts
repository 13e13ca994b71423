import assert from 'node:assert/strict'
import { test } from 'node:test'
import { letGoOfBytes } from './let-go-of-bytes.ts'

const SIZE = 1 << 16
const view = (buffer: ArrayBufferLike, offset: number, length: number) =>
  new Uint8Array(buffer, offset, length)

const cases: ReadonlyArray<[name: string, bytes: Uint8Array, left: number]> = [
  ['the value of a message, behind its other fields', view(new ArrayBuffer(SIZE + 40), 40, SIZE), 0],
  ['a small value', view(new ArrayBuffer(SIZE - 1), 0, SIZE - 1), SIZE - 1],
  ['one of two in a buffer', view(new ArrayBuffer(2 * SIZE), 0, SIZE), SIZE],
  ['one beside more than fields', view(new ArrayBuffer(SIZE + 1_025), 0, SIZE), SIZE],
  ['shared memory', view(new SharedArrayBuffer(SIZE), 0, SIZE), SIZE],
]
for (const [name, bytes, left] of cases) {
  test(`letGoOfBytes: ${name} has ${left} bytes afterwards`, () => {
    letGoOfBytes(bytes)
    assert.equal(bytes.byteLength, left)
  })
}
