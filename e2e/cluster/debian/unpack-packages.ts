import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, runCommand } from '../run-command.ts'
import { debianPackageSets } from './package-sets.ts'

/** Directories of an unpacked set in which the dynamic linker has to look. */
export const libraryDirectories = (unpacked: string): string[] => [
  join(unpacked, 'usr/lib/x86_64-linux-gnu'),
  join(unpacked, 'lib/x86_64-linux-gnu'),
]

/** Downloads a set with apt and unpacks it below `.cache`; answers the directory. Done once per list of names. */
export async function unpackPackages(
  root: string,
  set: keyof typeof debianPackageSets,
  tracked: readonly string[],
): Promise<string> {
  const names = debianPackageSets[set]
  const key = createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 10)
  const directory = join(root, '.cache', 'debian', `${set}-${key}`)
  if (existsSync(directory)) return directory
  const cache = join(root, '.cache', 'debian')
  mkdirSync(cache, { recursive: true })
  for (const stale of readdirSync(cache).filter((name) => name.startsWith(`.${set}-`))) {
    rmSync(join(cache, stale), { recursive: true, force: true }) // An interrupted attempt; we hold the build lock.
  }
  const work = mkdtempSync(join(cache, `.${set}-`))
  await download(names, work, tracked)
  const unpacked = join(work, 'unpacked')
  mkdirSync(unpacked)
  for (const file of readdirSync(work).filter((name) => name.endsWith('.deb'))) {
    await mustRun(['dpkg-deb', '-x', join(work, file), unpacked])
  }
  renameSync(unpacked, directory)
  rmSync(work, { recursive: true, force: true })
  return directory
}

async function download(
  names: readonly string[],
  directory: string,
  tracked: readonly string[],
): Promise<void> {
  const fetch = [...tracked, 'apt-get', '-qq', '-o', 'APT::Sandbox::User=root', 'download', ...names]
  if ((await runCommand(fetch, { directory })).code === 0) return
  await mustRun([...tracked, 'apt-get', '-qq', 'update']) // A fresh machine has no package lists, an old one stale ones.
  await mustRun(fetch, { directory }).catch((cause: Error) => {
    throw new Error(
      `Debian packages ${names.join(' ')}: ${cause.message}. This needs Debian 12's apt sources.`,
    )
  })
}
