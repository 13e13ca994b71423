import { readdirSync, readFileSync } from 'node:fs'
import type { Cluster } from './cluster/cluster.ts'
import { kubectl } from './target.ts'

/** Kills the main process of a pod's container with SIGKILL, or sends another signal, from outside. Answers its pid. */
export async function killPod(
  cluster: Cluster,
  namespace: string,
  pod: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<number> {
  const uid = (
    await kubectl(cluster, ['-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.metadata.uid}'])
  ).trim()
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isContainerOf(name, uid))
  const [pid] = pids.map(Number).toSorted((a, b) => a - b)
  if (pid === undefined) throw new Error(`No process of pod ${namespace}/${pod} (${uid}) was found.`)
  process.kill(pid, signal)
  return pid
}

/** What holds the pod's namespaces: our own pause image sleeps, and the shim stands above both. */
const SANDBOX = ['/pause', '/bin/sleep\x002147483647', 'containerd-shim']

function isContainerOf(pid: string, podUid: string): boolean {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return groups.includes(podUid) && !SANDBOX.some((one) => command.startsWith(one))
  } catch {
    return false // The process ended while we looked.
  }
}
