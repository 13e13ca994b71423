import { closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, writeSync } from 'node:fs' // biome-ignore format: one line
import { join } from 'node:path'
import type { RunFileReader, RunFiles, RunFileWriter } from '@truenow/kernels/duplicates/run-files.ts'

/** Makes what was written to an open file durable; tests do without. */
export type Sync = (file: number) => void

/** Bytes between two syncs while a run is written, so that the last one does not wait for all of it. */
const SYNC_BYTES = 4 << 20

export type VolumeRunFiles = RunFiles &
  Readonly<{
    /** Files that somebody reads or writes: whoever sweeps the directory leaves these. */
    held: () => ReadonlySet<string>
    /** Takes a file that cannot be trusted off the volume, so that no manifest that names it is loaded. */
    condemn: (name: string) => void
  }>

/**
 * Run files in a directory of the volume, `run-<n>.bin`, with numbers that are never used again. Written under another name,
 * synced, renamed: after a crash a run is there whole or not at all. `remove` lets go of a file; the sweep after the next
 * snapshot takes it away once no kept manifest names it.
 */
export function createVolumeRunFiles(directory: string, sync: Sync = fsyncSync): VolumeRunFiles {
  const held = new Set<string>()
  let number = -1
  /** Above every number on the volume, also of files that nobody holds any more, or that came with a peer's copy. */
  const nextName = (): string => {
    mkdirSync(directory, { recursive: true })
    for (const name of readdirSync(directory)) number = Math.max(number, Number(/^run-(\d+)/.exec(name)?.[1] ?? 0)) // biome-ignore format: one line
    number += 1
    return `run-${String(number).padStart(12, '0')}.bin`
  }
  const open = (name: string): RunFileReader => {
    const file = openSync(join(directory, name), 'r')
    held.add(name)
    return reader(file, name, () => held.delete(name))
  }
  return {
    create: () => {
      const name = nextName()
      return writer({ directory, name, held, sync, open: () => open(name) })
    },
    open,
    remove: (name) => void held.delete(name),
    residentBytes: () => 0,
    held: () => held,
    condemn: (name) => rmSync(join(directory, name), { force: true }),
  }
}

function reader(file: number, name: string, onClose: () => void): RunFileReader {
  let isOpen = true
  return {
    name,
    size: fstatSync(file).size,
    read: (into, offset) => {
      if (!isOpen) throw new Error(`${name} is closed`) // Its number may be another file's by now.
      for (let at = 0; at < into.length; ) {
        const read = readSync(file, into, at, into.length - at, offset + at)
        if (read === 0) throw new Error(`${name} ends before byte ${offset + into.length}`)
        at += read
      }
    },
    close: () => {
      if (!isOpen) return
      isOpen = false
      closeSync(file)
      onClose()
    },
  }
}

type WriterParts = Readonly<{
  directory: string
  name: string
  held: Set<string>
  sync: Sync
  open: () => RunFileReader
}>
function writer({ directory, name, held, sync, open }: WriterParts): RunFileWriter {
  const half = `${name}.new`
  const [halfPath, path] = [join(directory, half), join(directory, name)]
  mkdirSync(directory, { recursive: true })
  const file = openSync(halfPath, 'wx')
  held.add(half)
  let isOpen = true
  let unsynced = 0
  let isNamed = false
  const close = () => {
    if (isOpen) closeSync(file)
    isOpen = false
  }
  return {
    name,
    append: (bytes) => {
      // A disk that fills up writes less than was asked and says so by the count only.
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
      unsynced += bytes.length
      if (unsynced < SYNC_BYTES) return
      sync(file)
      unsynced = 0
    },
    commit: () => {
      sync(file)
      close()
      renameSync(halfPath, path)
      isNamed = true
      held.delete(half)
      syncDirectory(directory, sync)
      return open()
    },
    abort: () => {
      close()
      held.delete(half)
      rmSync(isNamed ? path : halfPath, { force: true })
    },
  }
}

function syncDirectory(directory: string, sync: Sync): void {
  const opened = openSync(directory, 'r')
  try {
    sync(opened)
  } finally {
    closeSync(opened)
  }
}
