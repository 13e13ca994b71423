import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type Cluster, startCluster, stopCluster } from '../../../e2e/cluster/cluster.ts'
import { kubectl } from '../../../e2e/target.ts'

const root = resolve(import.meta.dirname, '../../..')
const INSTANCE = 'crash-points'

/**
 * Brings up etcd, the API server and the controllers that need no node, in a network of their own; gives them our CRDs; runs a
 * program of this directory in that network with `environment`, and takes everything down again. Each of its lines of JSON goes to
 * `onLine` as it comes. Errors: when it fails.
 */
export async function runInLayer<Line>(
  program: string,
  environment: Readonly<Record<string, string>>,
  { print, onLine }: Readonly<{ print: (line: string) => void; onLine: (line: Line) => void }>,
): Promise<void> {
  try {
    const cluster = await startCluster({ instance: INSTANCE, root, log: print, withNode: false })
    await applyDefinitions(cluster)
    await run(cluster, program, environment, (line) => onLine(JSON.parse(line) as Line))
  } finally {
    await stopCluster(INSTANCE, root) // Also what came up only in part.
  }
}

async function applyDefinitions(cluster: Cluster): Promise<void> {
  const files = readdirSync(join(root, 'crds')).flatMap((file) => ['-f', join(root, 'crds', file)])
  await kubectl(cluster, ['apply', '--server-side', ...files])
  await kubectl(cluster, ['wait', '--for=condition=Established', ...files, '--timeout=30s'])
}

async function run(
  { execWrapper }: Cluster,
  program: string,
  environment: Readonly<Record<string, string>>,
  onLine: (line: string) => void,
): Promise<void> {
  const [wrapper = '', ...args] = [
    ...execWrapper.prefix,
    process.execPath,
    join(import.meta.dirname, program),
  ]
  const { NODE_TEST_CONTEXT: _, ...env } = process.env // It would make the program report to a test runner that is not there.
  const child = spawn(wrapper, args, {
    cwd: root,
    env: { ...env, ...execWrapper.environment, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  createInterface(child.stdout).on('line', onLine)
  const how = await new Promise<unknown>((ended) =>
    child.once('close', (code, signal) => ended(signal ?? code)),
  )
  if (how !== 0) throw new Error(`${program} ended with ${how}`)
}
