import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type WriteFile, writeDurably } from './write-durably.ts'

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

/** Writes the identity so that a crash leaves the old one or the new one, never half of either. Errors: the disk's. */
export function writeIdentity(
  directory: string,
  identity: VolumeIdentity,
  writeFile: WriteFile = writeDurably,
): void {
  mkdirSync(directory, { recursive: true })
  writeFile(join(directory, FILE), Buffer.from(`${JSON.stringify(identity)}\n`))
}

/** Removes everything but the directory itself: what lay there belongs to another incarnation. */
export function wipeVolume(directory: string): void {
  if (!existsSync(directory)) return
  for (const name of readdirSync(directory)) {
    if (name !== 'lost+found') rmSync(join(directory, name), { recursive: true, force: true })
  }
}
