import { type ChildProcess, spawn } from 'node:child_process'
import type { Cluster } from './cluster/cluster.ts'
import { root } from './test-cluster.ts'

/** Starts a Node program of this checkout inside the cluster's network, where Services and brokers resolve by name. */
export function spawnInsideCluster(cluster: Cluster, argv: readonly string[]): ChildProcess {
  const { prefix, environment } = cluster.execWrapper
  const [program = '', ...args] = [...prefix, process.execPath, ...argv]
  const env = { ...process.env, ...environment }
  return spawn(program, args, { cwd: root, env, stdio: ['pipe', 'pipe', 'inherit'] })
}
