import { setTimeout as delay } from 'node:timers/promises'
import type { Table } from './api/v1alpha1/table.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { heldByAnother } from './held-by-another.ts'
import {
  KubernetesError,
  type KubernetesPort,
  type ObjectKey,
  type Resource,
  type Stored,
} from './kubernetes/kubernetes-port.ts'
import { LEASES, type Lease } from './kubernetes/lease-record.ts'
import { listAll } from './kubernetes/list-all.ts'
import { storeKey } from './kubernetes/object-store.ts'
import { CLUSTERS, childResource, TABLES } from './kubernetes/resources.ts'
import { releaseFinalizer } from './release-finalizer.ts'

/** A leader that was asked to end releases its Lease within its grace period. */
const RELEASE_TRIES_MAX = 60
const RELEASE_PAUSE_MS = 500

/**
 * For `helm uninstall`: stops the operator, which would put them back, then takes our finalizers off every object it held,
 * so that no namespace hangs on an operator that is not there, and gives its claims up, so that the next operator may take
 * them. Data stays. Objects of clusters that another operator holds are left to it. Answers how many had a finalizer.
 * Errors: KubernetesError.
 */
export async function releaseAllFinalizers(
  kubernetes: KubernetesPort,
  operator: Readonly<{
    namespace: string
    deployment: string
    lease: string
    /** Empty = the whole Kubernetes cluster. */
    watchNamespaces: readonly string[]
  }>,
): Promise<number> {
  const { namespace, deployment, lease, watchNamespaces } = operator
  const key = { namespace, name: deployment }
  await kubernetes.mergePatch(childResource('Deployment'), key, { spec: { replicas: 0 } })
  await leaseReleased(kubernetes, { namespace, name: lease })
  const identity = `${namespace}/${lease}`
  const places = watchNamespaces.length === 0 ? [{}] : watchNamespaces.map((one) => ({ namespace: one }))
  let released = 0
  for (const place of places) {
    const clusters = await listThere<TrueNowCluster>(kubernetes, CLUSTERS, place)
    const foreign = new Set(
      clusters.filter((one) => heldByAnother(one, identity)).map(({ metadata }) => storeKey(metadata)),
    )
    const tables = await listThere<Table>(kubernetes, TABLES, place)
    for (const table of tables) {
      const cluster = { namespace: table.metadata.namespace, name: table.spec.clusterRef.name }
      if (foreign.has(storeKey(cluster))) continue
      if (await release(kubernetes, TABLES, table)) released += 1
    }
    for (const cluster of clusters) {
      if (foreign.has(storeKey(cluster.metadata))) continue
      await giveUpClaim(kubernetes, cluster, identity)
      if (await release(kubernetes, CLUSTERS, cluster)) released += 1
    }
  }
  return released
}

async function leaseReleased(kubernetes: KubernetesPort, key: ObjectKey): Promise<void> {
  for (let tries = 0; tries < RELEASE_TRIES_MAX; tries++) {
    const lease = await kubernetes.get<Lease>(LEASES, key)
    if ((lease?.spec.holderIdentity ?? '') === '') return
    await delay(RELEASE_PAUSE_MS)
  }
}

async function release(kubernetes: KubernetesPort, resource: Resource, object: Stored): Promise<boolean> {
  if ((object.metadata.finalizers ?? []).length === 0) return false
  await releaseFinalizer(kubernetes, resource, object)
  return true
}

/** Apply gives up what it leaves out; its manager is the same that wrote the claim. */
async function giveUpClaim(
  kubernetes: KubernetesPort,
  { apiVersion, kind, metadata, status }: TrueNowCluster,
  identity: string,
): Promise<void> {
  if (status?.operator !== identity) return
  const { operator: _, ...rest } = status
  const { name, namespace } = metadata
  await kubernetes.apply(
    CLUSTERS,
    { apiVersion, kind, metadata: { name, namespace }, status: rest },
    { force: true, subresource: 'status' },
  )
}

/** A namespace that is gone took its Role with it: nothing is there to be released. */
async function listThere<Kind extends Stored>(
  kubernetes: KubernetesPort,
  resource: Resource,
  place: Readonly<{ namespace?: string }>,
): Promise<readonly Kind[]> {
  try {
    return (await listAll<Kind>(kubernetes, resource, place)).objects
  } catch (error) {
    const isGone = error instanceof KubernetesError && (error.status === 403 || error.status === 404)
    if (place.namespace === undefined || !isGone) throw error
    return []
  }
}
