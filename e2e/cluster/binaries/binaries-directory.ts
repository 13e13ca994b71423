import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubernetesVersion } from './kubernetes-version.ts'

export const binaryPackages = [
  'github.com/coredns/coredns',
  'k8s.io/kubernetes/cmd/kube-apiserver',
  'k8s.io/kubernetes/cmd/kube-controller-manager',
  'k8s.io/kubernetes/cmd/kube-proxy',
  'k8s.io/kubernetes/cmd/kube-scheduler',
  'k8s.io/kubernetes/cmd/kubelet',
] as const

/** Where the built programs are or will be: named by the hash of all that decides what they are. */
export function binariesDirectory(root: string): string {
  const source = join(root, 'e2e', 'cluster', 'binaries')
  const key = createHash('sha256')
    .update(readFileSync(join(source, 'go.mod')))
    .update(readFileSync(join(source, 'go.sum')))
    .update(binaryPackages.join(' '))
    .digest('hex')
  return join(root, '.cache', 'binaries', `kubernetes-${kubernetesVersion}-${key.slice(0, 10)}`)
}
