import { inflateRawSync } from 'node:zlib'

export type ZipEntry = Readonly<{ name: string; read: () => Buffer }>

const endSignature = 0x06054b50
const centralSignature = 0x02014b50
const commentBytesMax = 65_535

/** Reads a zip archive by its central directory (no zip64, no encryption): stored and deflated entries. */
export function unzip(archive: Buffer): ZipEntry[] {
  let end = archive.length - 22
  const endMin = Math.max(0, end - commentBytesMax)
  while (end >= endMin && archive.readUInt32LE(end) !== endSignature) end--
  if (end < endMin) throw new Error('not a zip archive: no end of central directory')
  const count = archive.readUInt16LE(end + 10)
  const entries: ZipEntry[] = []
  let at = archive.readUInt32LE(end + 16)
  for (let index = 0; index < count; index++) {
    if (archive.readUInt32LE(at) !== centralSignature) throw new Error(`zip: entry ${index} is damaged`)
    const method = archive.readUInt16LE(at + 10)
    const packedBytes = archive.readUInt32LE(at + 20)
    const nameBytes = archive.readUInt16LE(at + 28)
    const localAt = archive.readUInt32LE(at + 42)
    const name = archive.toString('utf8', at + 46, at + 46 + nameBytes)
    entries.push({ name, read: () => unpack(archive, localAt, packedBytes, method, name) })
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return entries
}

function unpack(archive: Buffer, localAt: number, packedBytes: number, method: number, name: string): Buffer {
  const start = localAt + 30 + archive.readUInt16LE(localAt + 26) + archive.readUInt16LE(localAt + 28)
  const packed = archive.subarray(start, start + packedBytes)
  if (method === 0) return packed
  if (method === 8) return inflateRawSync(packed)
  throw new Error(`zip: ${name} is packed by method ${method}; only stored and deflated are read`)
}
