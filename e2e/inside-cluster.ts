import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Cluster } from './cluster/cluster.ts'
import { kubectl } from './target.ts'
import { root } from './test-cluster.ts'

/**
 * Starts a Node program of this checkout inside the cluster's network, with the cluster's DNS: Services and brokers are
 * reachable by name, as for a pod. A mount namespace of its own gives it another /etc/resolv.conf than the machine's.
 */
export async function spawnInsideCluster(cluster: Cluster, argv: readonly string[]): Promise<ChildProcess> {
  const args = [
    '-n',
    'kube-system',
    'get',
    'service',
    '-o',
    'jsonpath={.items[?(@.spec.ports[0].port==53)].spec.clusterIP}',
  ]
  const dns = (await kubectl(cluster, args)).trim()
  const resolvConf = `${root}/.truenow/${cluster.instance}/resolv-inside.conf`
  writeFileSync(resolvConf, `nameserver ${dns}\nsearch svc.cluster.local cluster.local\noptions ndots:3\n`)
  const enter = [`--net=${cluster.netnsPath}`, 'unshare', '--mount', 'sh', '-c']
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
  return spawn('nsenter', [...enter, script, resolvConf, process.execPath, ...argv], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}
