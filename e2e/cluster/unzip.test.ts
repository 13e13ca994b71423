import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { unzip } from './unzip.ts'

/** A zip archive as the format's own description lays it out, without checksums (they are not read). */
function zip(files: ReadonlyArray<[name: string, text: string, method: 0 | 8]>, comment = ''): Buffer {
  const parts: Buffer[] = []
  const central: Buffer[] = []
  let at = 0
  for (const [name, text, method] of files) {
    const packed = method === 8 ? deflateRawSync(text) : Buffer.from(text)
    const local = Buffer.alloc(30 + 4) // Four bytes of extra field: it may differ from the central one.
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(method, 8)
    local.writeUInt16LE(Buffer.byteLength(name), 26)
    local.writeUInt16LE(4, 28)
    const head = Buffer.concat([local.subarray(0, 30), Buffer.from(name), local.subarray(30)])
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(method, 10)
    entry.writeUInt32LE(packed.length, 20)
    entry.writeUInt16LE(Buffer.byteLength(name), 28)
    entry.writeUInt32LE(at, 42)
    central.push(entry, Buffer.from(name))
    parts.push(head, packed)
    at += head.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(at, 16)
  end.writeUInt16LE(comment.length, 20)
  return Buffer.concat([...parts, ...central, end, Buffer.from(comment)])
}

test('unzip: stored and deflated entries, whatever the comment at the end', () => {
  for (const comment of ['', 'c'.repeat(65_535)]) {
    const entries = unzip(
      zip(
        [
          ['a/b', 'stored', 0],
          ['ü', 'deflated'.repeat(99), 8],
        ],
        comment,
      ),
    )
    assert.deepEqual(
      entries.map(({ name, read }) => [name, read().toString()]),
      [
        ['a/b', 'stored'],
        ['ü', 'deflated'.repeat(99)],
      ],
    )
  }
})

test('unzip: what is no archive is refused', () => {
  assert.throws(() => unzip(Buffer.alloc(0)), /not a zip archive/)
  assert.throws(() => unzip(Buffer.alloc(100_000, 7)), /not a zip archive/)
})
