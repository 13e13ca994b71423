import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Release = Readonly<{ version: string; commit: string }>

/**
 * The checkout of a release that e2e/releases.json names, in `.cache/releases/<commit>`, with node_modules of its own: links
 * to the same files, so that its packages of ours are those of the release. Run with a version, this file prints the directory.
 * Errors: where the clone does not have that commit.
 */
export function releaseTree(root: string, version: string): string {
  const releases = JSON.parse(readFileSync(join(root, 'e2e/releases.json'), 'utf8')) as readonly Release[]
  const release = releases.find((one) => one.version === version)
  if (release === undefined) throw new Error(`e2e/releases.json knows no version ${version}`)
  const { commit } = release
  const directory = join(root, '.cache/releases', commit)
  if (existsSync(directory)) return directory
  const making = `${directory}.${process.pid}`
  mkdirSync(making, { recursive: true })
  try {
    const archive = join(making, 'tree.tar')
    try {
      execFileSync('git', ['-C', root, 'archive', '--format=tar', '-o', archive, commit], { stdio: 'pipe' })
    } catch (cause) {
      const message = `This clone does not have commit ${commit} of version ${version}: git fetch --unshallow`
      throw new Error(message, { cause })
    }
    execFileSync('tar', ['-xf', archive, '-C', making])
    rmSync(archive)
    const lockfile = (at: string) => readFileSync(join(at, 'package-lock.json'), 'utf8')
    requireSamePackages(lockfile(making), lockfile(root), version)
    // Hard links where the file system has them: the packages are the same files, our own are links into each tree.
    execFileSync('cp', ['-a', '-l', join(root, 'node_modules'), join(making, 'node_modules')])
    writeFileSync(join(making, '.release'), `${version} ${commit}\n`)
    if (!existsSync(directory)) renameSync(making, directory)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return directory
}

/** A release whose packages differ from ours would run with ours, and prove nothing of itself. */
function requireSamePackages(ofRelease: string, ours: string, version: string): void {
  type Lockfile = { packages: Record<string, { version?: string; dev?: boolean }> }
  const [theirs, now] = [JSON.parse(ofRelease) as Lockfile, JSON.parse(ours) as Lockfile]
  const differing = Object.entries(theirs.packages).filter(
    ([name, one]) =>
      name.startsWith('node_modules/') && one.dev !== true && now.packages[name]?.version !== one.version,
  )
  if (differing.length > 0)
    throw new Error(
      `Version ${version} ran with other packages (${differing.map(([name]) => name).join(', ')}): npm ci in its tree is due`,
    )
}

if (process.argv[1] === import.meta.filename)
  console.log(releaseTree(join(import.meta.dirname, '..'), process.argv[2] ?? ''))
