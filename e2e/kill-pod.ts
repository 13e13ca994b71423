import { readdirSync, readFileSync } from 'node:fs'
import type { Cluster } from './cluster/cluster.ts'
import { kubectl } from './target.ts'

/** Kills the main process of a pod's container with SIGKILL, from outside, as the kernel would. Answers its pid. */
export async function killPod(cluster: Cluster, namespace: string, pod: string): Promise<number> {
  const uid = (
    await kubectl(cluster, ['-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.metadata.uid}'])
  ).trim()
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isContainerOf(name, uid))
  const [pid] = pids.map(Number).toSorted((a, b) => a - b)
  if (pid === undefined) throw new Error(`No process of pod ${namespace}/${pod} (${uid}) was found.`)
  process.kill(pid, 'SIGKILL')
  return pid
}

function isContainerOf(pid: string, podUid: string): boolean {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return groups.includes(podUid) && !command.includes('/pause') && !command.startsWith('containerd-shim')
  } catch {
    return false // The process ended while we looked.
  }
}
