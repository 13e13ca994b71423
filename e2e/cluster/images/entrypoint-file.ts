import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const source = (folder: string): string => join(import.meta.dirname, folder, 'entrypoint')

/** Text of the start script of an image, for its content hash. */
export const entrypointText = (folder: string): Buffer => readFileSync(source(folder))

/** Puts the start script of an image to /entrypoint. */
export function addEntrypoint(folder: string, directory: string): void {
  copyFileSync(source(folder), join(directory, 'entrypoint'))
  chmodSync(join(directory, 'entrypoint'), 0o755)
}
