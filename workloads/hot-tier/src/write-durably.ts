import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** How files reach the volume: all of `bytes` under `path` or, when it throws, what stood there before. */
export type WriteFile = (path: string, bytes: Uint8Array) => void

/**
 * Write to a new file, fsync, rename, fsync the directory: whenever it is killed, `path` has the old bytes or the new ones.
 * Errors: the disk's; then the half-written file is taken away, for a full disk needs its bytes.
 */
export const writeDurably: WriteFile = (path, bytes) => {
  const half = `${path}.new`
  try {
    const file = openSync(half, 'w')
    try {
      // A disk that fills up writes less than was asked and says so by the count only.
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(half, path)
  } catch (error) {
    rmSync(half, { force: true })
    throw error
  }
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
