import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { mustRun, runCommand } from '../run-command.ts'
import { kubernetesVersion } from './kubernetes-version.ts'

const packages = [
  'github.com/coredns/coredns',
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kube-controller-manager',
  'k8s.io/kubernetes/cmd/kube-proxy',
  'k8s.io/kubernetes/cmd/kube-scheduler',
  'k8s.io/kubernetes/cmd/kubelet',
]
const goMinorMin = 24

/**
 * Kubernetes and CoreDNS, built from the Go module proxy and kept in `.cache/binaries` by the hash of go.mod and
 * go.sum: five minutes cold, seconds from a warm Go cache. The directory appears by one rename, so an interrupted
 * build is never taken for a finished one.
 */
export async function buildBinaries(root: string, tracked: readonly string[]): Promise<string> {
  const source = join(root, 'e2e', 'cluster', 'binaries')
  const key = createHash('sha256')
    .update(readFileSync(join(source, 'go.mod')))
    .update(readFileSync(join(source, 'go.sum')))
    .update(packages.join(' '))
    .digest('hex')
  const cache = join(root, '.cache', 'binaries')
  const directory = join(cache, `kubernetes-${kubernetesVersion}-${key.slice(0, 10)}`)
  if (existsSync(directory)) return directory
  await requireGo()
  mkdirSync(cache, { recursive: true })
  for (const stale of readdirSync(cache).filter((name) => name.startsWith('.build-'))) {
    rmSync(join(cache, stale), { recursive: true, force: true })
  }
  const work = mkdtempSync(join(cache, '.build-'))
  const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${kubernetesVersion}`
  await mustRun([...tracked, 'go', 'build', '-trimpath', '-ldflags', flags, '-o', `${work}/`, ...packages], {
    directory: source,
    environment: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false -mod=readonly', GOWORK: 'off' },
  })
  renameSync(work, directory)
  return directory
}

async function requireGo(): Promise<void> {
  const said = await runCommand(['go', 'env', 'GOVERSION']).catch(() => undefined)
  const minor = Number(/^go1\.(\d+)/.exec(said?.stdout ?? '')?.[1])
  if (minor >= goMinorMin) return
  throw new Error(
    `Go 1.${goMinorMin} or newer is needed to build Kubernetes, found ${said?.stdout.trim() || 'none'}; install it and put it on PATH`,
  )
}
