import { existsSync } from 'node:fs'
import { bringUp } from './bring-up.ts'
import { type Cluster, connectCluster } from './connect-cluster.ts'
import { instanceLayout } from './instance-layout.ts'
import { machineLock } from './machine-lock.ts'
import { holderPid } from './namespace-holder.ts'
import { preflight, thisMachine } from './preflight.ts'
import { tearDown } from './tear-down.ts'

export type { Cluster } from './connect-cluster.ts'

export type StartOptions = Readonly<{
  instance: string
  /** The checkout. */
  root: string
  log: (line: string) => void
  /** Write what service accounts and people ask of the API server to logs/audit.log. @default false */
  auditLog?: boolean
  /** False: etcd, API server and the controllers that need no node, in two seconds; pods are whatever a test says they are. @default true */
  withNode?: boolean
}>

const lockWaitMs = 900_000

/**
 * Brings up the local cluster of an instance: a single-node Kubernetes with name service, storage and the images
 * its own parts need, in a network and mount namespace of its own. A running one is left as it is (what died in it
 * is started again); a half-built or killed one is taken down first.
 */
export async function startCluster(options: StartOptions): Promise<Cluster> {
  const message = preflight(thisMachine(), undefined)
  if (message !== undefined) throw new Error(message)
  const layout = instanceLayout(options.root, options.instance)
  const free = await machineLock(layout.machineName, lockWaitMs, () =>
    options.log(`… waiting for another process that starts or stops ${options.instance}`),
  )
  try {
    const { log, auditLog = false, withNode = true } = options
    await bringUp(layout, { log, audit: auditLog, withNode })
  } finally {
    await free()
  }
  return attachCluster(options.instance, options.root)
}

/** The handle of a cluster that runs already; throws when it does not. */
export async function attachCluster(instance: string, root: string): Promise<Cluster> {
  const layout = instanceLayout(root, instance)
  const holder = holderPid(layout)
  if (holder === undefined || !existsSync(layout.readyMark)) {
    throw new Error(
      `cluster ${instance} does not run; start it with: node e2e/cluster/main.ts up --instance ${instance}`,
    )
  }
  return connectCluster(layout, () => stopCluster(instance, root))
}

/** Takes an instance down, whatever state it is in, and removes every trace but the caches. */
export async function stopCluster(
  instance: string,
  root: string,
  log: (line: string) => void = () => {},
): Promise<void> {
  const layout = instanceLayout(root, instance)
  const free = await machineLock(layout.machineName, lockWaitMs, () =>
    log(`… waiting for another process that starts or stops ${instance}`),
  )
  try {
    await tearDown(layout)
  } finally {
    await free()
  }
}
