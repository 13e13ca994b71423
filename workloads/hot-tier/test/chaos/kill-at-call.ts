import fs from 'node:fs'
import fsPromises, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

/** What was under way when the process died: the call, and the kind of file (manifest, bucket, ids, run, copy). */
export type KilledAt = Readonly<{ call: string; file: string }>

/**
 * From here on the process kills itself with SIGKILL in the midst of the `nth` call that changes a file below `directory`: a write
 * has then written half of its bytes, a rename or removal has happened or not, as `isDone` says. It tells where, on standard error.
 */
export function killAtCall(directory: string, nth: number, isDone: boolean): void {
  const { openSync, writeSync, fsyncSync, renameSync, rmSync } = fs
  const paths = new Map<number, string>()
  let calls = 0
  const isIts = (path: unknown) => String(path).startsWith(directory)
  const isNow = (path: unknown) => isIts(path) && ++calls === nth
  const die = (call: string, path: unknown): never => {
    writeSync(2, `${JSON.stringify({ call, file: kindOf(String(path)) })}\n`)
    process.kill(process.pid, 'SIGKILL')
    throw new Error('killed')
  }
  fs.openSync = (path, flags, mode) => {
    if (flags !== 'r' && isNow(path)) die('open', path)
    const file = openSync(path, flags, mode)
    paths.set(file, String(path))
    return file
  }
  fs.writeSync = ((file: number, bytes: Uint8Array, offset?: number | null) => {
    const at = offset ?? 0
    if (!isNow(paths.get(file) ?? '')) return writeSync(file, bytes, at)
    writeSync(file, bytes.subarray(at, at + Math.floor((bytes.length - at) / 2)))
    return die('write', paths.get(file))
  }) as typeof fs.writeSync
  fs.fsyncSync = (file) => {
    if (isNow(paths.get(file) ?? '')) die('fsync', paths.get(file))
    fsyncSync(file)
  }
  fs.renameSync = (from, to) => {
    const now = isNow(to)
    if (now && !isDone) die('rename', to)
    renameSync(from, to)
    if (now) die('rename, done', to)
  }
  fs.rmSync = (path, options) => {
    const now = isNow(path)
    if (now && !isDone) die('remove', path)
    rmSync(path, options)
    if (now) die('remove, done', path)
  }
  const { open } = fsPromises
  fsPromises.open = async (path, flags, mode) => {
    const writes = flags !== 'r'
    if (writes && isNow(path)) die('open', path)
    const handle = await open(path, flags, mode)
    return writes ? watched(handle, String(path), isNow, die) : handle
  }
  syncBuiltinESMExports()
}

function watched(
  handle: FileHandle,
  path: string,
  isNow: (path: string) => boolean,
  die: (call: string, path: string) => never,
): FileHandle {
  const [write, sync] = [handle.write.bind(handle), handle.sync.bind(handle)]
  handle.write = (async (bytes: Uint8Array, at = 0) => {
    if (!isNow(path)) return write(bytes, at)
    await write(bytes, at, Math.floor((bytes.length - at) / 2))
    return die('write', path)
  }) as typeof handle.write
  handle.sync = async () => {
    if (isNow(path)) die('fsync', path)
    await sync()
  }
  return handle
}

function kindOf(path: string): string {
  const kind = /^(manifest|bucket|ids|run)-/.exec(basename(path))?.[1] ?? 'directory'
  return path.includes('.copy-') ? `${kind} of a copy` : kind
}
