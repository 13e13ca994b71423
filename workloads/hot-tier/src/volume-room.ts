import { statfsSync } from 'node:fs'

/** What is free on the file system of a directory for us, and its size, bytes. Zeros where it cannot be asked: nobody knows then. */
export function volumeRoom(directory: string): Readonly<{ volumeBytesFree: bigint; volumeBytesMax: bigint }> {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory, { bigint: true })
    return { volumeBytesFree: bavail * bsize, volumeBytesMax: blocks * bsize }
  } catch {
    return { volumeBytesFree: 0n, volumeBytesMax: 0n }
  }
}
