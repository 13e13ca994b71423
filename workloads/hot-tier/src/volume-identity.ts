import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** Whose data a volume holds; a volume without it is empty. */
export type VolumeIdentity = Readonly<{ catalogId: string; incarnation: number; epochMax: number }>

const FILE = 'identity.json'

/** Reads the identity; undefined when there is none or it cannot be read: then nothing on the volume is trusted. */
export function readIdentity(directory: string): VolumeIdentity | undefined {
  try {
    const found = JSON.parse(readFileSync(join(directory, FILE), 'utf8')) as VolumeIdentity
    const whole = typeof found.catalogId === 'string' && Number.isSafeInteger(found.incarnation)
    return whole ? { ...found, epochMax: Number(found.epochMax) || 0 } : undefined
  } catch {
    return undefined
  }
}

/** Writes the identity so that a crash leaves the old one or the new one, never half of either. */
export function writeIdentity(directory: string, identity: VolumeIdentity): void {
  mkdirSync(directory, { recursive: true })
  writeDurably(join(directory, FILE), Buffer.from(`${JSON.stringify(identity)}\n`))
}

/** Removes everything but the directory itself: what lay there belongs to another incarnation. */
export function wipeVolume(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory)) {
    if (name !== 'lost+found') rmSync(join(directory, name), { recursive: true, force: true })
  }
}

/** Write to a new file, fsync, rename, fsync the directory. */
export function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(`${path}.new`, 'w')
  try {
    writeSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  const directory = openSync(join(path, '..'), 'r')
  fsyncSync(directory)
  closeSync(directory)
}
