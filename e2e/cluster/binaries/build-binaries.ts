import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mustRun } from '../run-command.ts'
import { binariesDirectory, binaryPackages } from './binaries-directory.ts'
import { goNeeded, goSuffices, goVersion } from './go-version.ts'
import { kubernetesVersion } from './kubernetes-version.ts'

/**
 * Kubernetes and CoreDNS, built from the Go module proxy and kept in `.cache/binaries` by the hash of go.mod and
 * go.sum: five minutes cold, seconds from a warm Go cache. The directory appears by one rename, so an interrupted
 * build is never taken for a finished one.
 */
export async function buildBinaries(root: string, tracked: readonly string[]): Promise<string> {
  const source = join(root, 'e2e', 'cluster', 'binaries')
  const directory = binariesDirectory(root)
  const cache = dirname(directory)
  if (existsSync(directory)) return directory
  await requireGo()
  mkdirSync(cache, { recursive: true })
  for (const stale of readdirSync(cache).filter((name) => name.startsWith('.build-'))) {
    rmSync(join(cache, stale), { recursive: true, force: true })
  }
  const work = mkdtempSync(join(cache, '.build-'))
  const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`
  await mustRun(
    [...tracked, 'go', 'build', '-trimpath', '-ldflags', flags, '-o', `${work}/`, ...binaryPackages],
    {
      directory: source,
      environment: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOWORK: 'off' },
    },
  )
  renameSync(work, directory)
  return directory
}

async function requireGo(): Promise<void> {
  const version = await goVersion()
  if (goSuffices(version)) return
  throw new Error(
    `${goNeeded} is needed to build Kubernetes, found ${version || 'none'}; install it and put it on PATH`,
  )
}
